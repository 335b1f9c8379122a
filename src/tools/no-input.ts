/** Input of a tool or prompt without arguments that uses its {@link ToolCall}: `method(_: NoInput, call: ToolCall)`. */
export class NoInput {}
