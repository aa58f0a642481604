/** Settings that have no default. */

/** The error of a missing setting tells how to give it. */
export function required(how: string) {
  return { error: ({ input }: { input?: unknown }) => (input === undefined ? `missing: give ${how}` : undefined) }
}
