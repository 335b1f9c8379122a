/** The input of a tool or prompt that takes none but wants its {@link ToolCall}: `method(_: NoInput, call: ToolCall)`. */
export class NoInput {}
