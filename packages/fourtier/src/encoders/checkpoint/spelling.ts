/** How a file spells the name of a parameter, also of one that it lacks: for errors that its owner can look up. */

/**
 * The file's spelling of parameters' names. One that the file lacks is spelled as its kin is: first as the same parameter of another
 * layer, else with what stands before the parameters beside it; where neither is there, its own name.
 *
 * @param inFile the file's names by the parameters'
 * @example
 * ```ts
 * const spell = spellingOf(new Map([["blocks.0.norm.weight", "model.layer.0.ln.weight"]]))
 * spell("blocks.1.norm.weight") // "model.layer.1.ln.weight"
 * ```
 */
export function spellingOf(inFile: ReadonlyMap<string, string>): (name: string) => string {
  return (name) => inFile.get(name) ?? asOtherLayer(name, inFile) ?? asNeighbour(name, inFile) ?? name
}

const SEPARATOR = /[./]/
const NUMBER = /(?<![^./])\d+(?![^./])/g

const numbersOf = (name: string) => name.match(NUMBER) ?? []

function asOtherLayer(name: string, inFile: ReadonlyMap<string, string>): string | undefined {
  const pattern = name.replaceAll(NUMBER, "#")
  for (const [other, original] of inFile) {
    if (other.replaceAll(NUMBER, "#") !== pattern || String(numbersOf(other)) !== String(numbersOf(original))) continue
    const numbers = numbersOf(name).values()
    return original.replaceAll(NUMBER, (number) => numbers.next().value ?? number)
  }
  return undefined
}

function asNeighbour(name: string, inFile: ReadonlyMap<string, string>): string | undefined {
  let best: { common: number; spelled: string } | undefined
  for (const [other, original] of inFile) {
    const end = commonEnd(other, original)
    const [before, written] = [other.slice(0, other.length - end), original.slice(0, original.length - end)]
    const common = commonStart(name, other)
    if (end === 0 || !name.startsWith(before) || common <= (best?.common ?? -1)) continue
    best = { common, spelled: written + name.slice(before.length) }
  }
  return best?.spelled
}

/** Length of the last parts that two names share. */
function commonEnd(a: string, b: string): number {
  const [own, others] = [a.split(SEPARATOR).reverse(), b.split(SEPARATOR).reverse()]
  const different = own.findIndex((part, i) => part !== others[i])
  const shared = different < 0 ? own : own.slice(0, different)
  return shared.join(".").length
}

/** How many first parts two names share. */
function commonStart(a: string, b: string): number {
  const [own, others] = [a.split(SEPARATOR), b.split(SEPARATOR)]
  const different = own.findIndex((part, i) => part !== others[i])
  return different < 0 ? own.length : different
}
