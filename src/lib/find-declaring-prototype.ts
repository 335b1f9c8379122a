/** The prototype that defines a method. An override needs a declaration of its own. */
export function findDeclaringPrototype(prototype: object, method: string): object | undefined {
  for (let at: object | null = prototype; at; at = Object.getPrototypeOf(at) as object | null) {
    if (Object.hasOwn(at, method)) return at;
  }
  return undefined;
}
