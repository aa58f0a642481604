/** Values of options that must be one of a few. */

import { FourtierError, nearest } from "@fourtier/tensor"

/** The one of `known` that the option names. @throws FourtierError that lists them */
export function oneOf<Name extends string>(option: string, given: string, known: readonly Name[]): Name {
  const found = known.find((name) => name === given)
  if (found !== undefined) return found
  const near = nearest(given, known)
  throw new FourtierError({
    where: option,
    what: "no such choice",
    expected: `one of ${known.join(", ")}`,
    found: given,
    ...(near === undefined ? {} : { fix: `did you mean ${near}?` }),
  })
}
