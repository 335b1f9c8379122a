/** The prototype that a method really stands on: what a class overrides is declared anew, or not at all. */
export function findDeclaringPrototype(prototype: object, method: string): object | undefined {
  for (let at: object | null = prototype; at; at = Object.getPrototypeOf(at) as object | null) {
    if (Object.hasOwn(at, method)) return at;
  }
  return undefined;
}
