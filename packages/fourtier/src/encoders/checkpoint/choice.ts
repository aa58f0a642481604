/**
 * Which of several sets of weights in one checkpoint is taken: by section, a dictionary in a PyTorch file, and by prefix of the
 * names.
 *
 * ```
 * { model: …, model_ema: … }        ──► model          the weights that were trained, before averaged ones
 * { student: …, teacher: … }        ──► teacher        averaged ones, before those that they average
 * { ema: …, teacher: … }            ──► error          two averages
 * { a: …, b: … }, of equal names    ──► error          which one?
 * model.x, criterion.y, model_ema.x ──► model.         Lightning
 * ```
 */

import { FourtierError } from "@fourtier/tensor"

/** Where training scripts put the weights, the most likely place first. */
export const USUAL_SECTIONS = [
  "model",
  "module",
  "model_state",
  "state_dict",
  "model_state_dict",
  "net",
  "network",
  "weights",
]

/** Where they put averages of the weights over training. */
const AVERAGED = [
  "model_ema",
  "ema_model",
  "ema",
  "ema_state_dict",
  "state_dict_ema",
  "model_state_ema",
  "ema_state",
  "module_ema",
  "ema_encoder",
  "target_encoder",
  "teacher",
]

/** What averages are taken of, where it is not one of the usual places. */
const STUDENTS = ["encoder", "online_encoder", "student"]

/** Put before every name by wrappers for parallel or compiled training, and by Lightning. */
const WRAPPERS = ["module.", "_orig_mod.", "model."]

/** The largest part of a training module, as in Lightning, where losses and averages have names of their own beside it. */
const MODULE = "model"

export interface SectionChoice {
  /** null: the dictionary itself is the state dictionary. */
  taken: string | null
  /** Sections that could have been taken instead. */
  others: string[]
}

/**
 * The section of a dictionary to take.
 *
 * @param sections names of what is in each part that holds tensors, and the number of tensors beside these parts
 * @param preferred the sections of a network's own files, the wanted one first
 * @throws FourtierError that lists the candidates where nothing tells which one is meant
 */
export function chooseSection(
  { names, direct }: { names: ReadonlyMap<string, readonly string[]>; direct: number },
  path: string,
  preferred: readonly string[] = [],
): SectionChoice {
  const own = firstWhole(preferred, (name) => names.get(name)?.length ?? 0)
  if (own !== undefined) return { taken: own, others: preferred.filter((name) => name !== own && names.has(name)) }
  const usual = USUAL_SECTIONS.filter((name) => names.has(name))
  const holds = (name: string) => (names.get(name)?.length ?? 0) > direct
  const averaged = AVERAGED.filter(holds)
  const students = averaged.length > 0 ? STUDENTS.filter(holds) : []
  const known = [...usual, ...averaged, ...students]
  if (usual.length === 0 && averaged.length > 1) throw ambiguous(path, "section", known)
  const copies = copiesOf(names)
  if (known.length > 0) {
    const like = copies.find((sections) => sections.includes(known[0])) ?? []
    return { taken: known[0], others: [...new Set([...known, ...like])].slice(1) }
  }
  const equal = copies.find((sections) => sections.length > 1)
  if (direct === 0 && equal) throw ambiguous(path, "section", equal)
  return { taken: null, others: [] }
}

/** The first of the names that has at least half as many tensors as any other of them. */
function firstWhole(names: readonly string[], tensors: (name: string) => number): string | undefined {
  const most = Math.max(...names.map(tensors))
  return most > 0 ? names.find((name) => tensors(name) * 2 >= most) : undefined
}

/** Sections with names as networks have them, those of equal names together. */
function copiesOf(names: ReadonlyMap<string, readonly string[]>): string[][] {
  const sets = new Map<string, string[]>()
  for (const [section, inner] of names) {
    if (!inner.some((name) => name.includes("."))) continue
    const key = inner.toSorted().join("\n")
    sets.set(key, [...(sets.get(key) ?? []), section])
  }
  return [...sets.values()]
}

export interface NameChoice {
  /** The file's names by those that are used. */
  names: Map<string, string>
  /** Before the names that were taken, where other names are left out; "" where none are. */
  prefix: string
  /** What begins the names that are left out, with the dot. */
  leftOut: string[]
}

/**
 * The names of a state dictionary without what wrappers put before them.
 *
 * @param wanted only names that begin with this, without it; undefined: as described above
 * @param preferred sections of a network's own files: where names begin with them, the network picks its own among all
 * @throws FourtierError where no name begins with `wanted`, or nothing tells which names are meant
 */
export function chooseNames(
  all: readonly string[],
  path: string,
  wanted?: string,
  preferred: readonly string[] = [],
): NameChoice {
  const identity = new Map(all.map((name) => [name, name]))
  if (wanted !== undefined) return { names: withPrefix(identity, path, wanted), prefix: wanted, leftOut: [] }
  const bare = unwrapped(identity, WRAPPERS)
  const groups = groupsOf(bare.keys())
  if (preferred.some((name) => groups.has(name))) return { names: bare, prefix: "", leftOut: [] }
  const averaged = AVERAGED.filter((name) => groups.has(name))
  const students = STUDENTS.filter((name) => groups.has(name))
  const isModule = groups.get(MODULE) === Math.max(...groups.values())
  const taken = isModule ? MODULE : chosenAverage(averaged, students, groups, path)
  if (taken === undefined) return { names: bare, prefix: "", leftOut: [] }
  const others = [...groups.keys()].filter((name) => name !== taken)
  return {
    names: unwrapped(startingWith(bare, `${taken}.`), WRAPPERS),
    prefix: `${taken}.`,
    leftOut: others.map((name) => `${name}.`),
  }
}

/** An average beside what it is an average of, or another average. */
function chosenAverage(
  averaged: readonly string[],
  students: readonly string[],
  groups: ReadonlyMap<string, number>,
  path: string,
): string | undefined {
  const equal = (name: string) => groups.get(name) === groups.get(averaged[0])
  if (averaged.length > 1 && averaged.every(equal)) {
    const prefixes = [...averaged, ...students].map((name) => `${name}.`)
    throw ambiguous(path, "prefix", prefixes)
  }
  return averaged.length === 1 && students.some(equal) ? averaged[0] : undefined
}

function withPrefix(all: ReadonlyMap<string, string>, path: string, prefix: string): Map<string, string> {
  const taken = [all, unwrapped(all, WRAPPERS)]
    .map((names) => startingWith(names, prefix))
    .find((names) => names.size > 0)
  if (taken) return prefix === "" ? taken : unwrapped(taken, WRAPPERS)
  const first = [...groupsOf(unwrapped(all, WRAPPERS).keys()).keys()].slice(0, 20)
  throw new FourtierError({
    where: path,
    what: `no tensor's name begins with ${JSON.stringify(prefix)}`,
    found: `names that begin with ${first.join(", ")}`,
  })
}

/** Names that begin with `prefix`, without it. */
function startingWith(names: ReadonlyMap<string, string>, prefix: string): Map<string, string> {
  const entries = [...names].filter(([name]) => name.startsWith(prefix))
  return new Map(entries.map(([name, original]) => [name.slice(prefix.length), original]))
}

/** Names without the wrappers that all of them have. */
function unwrapped(names: ReadonlyMap<string, string>, wrappers: readonly string[]): Map<string, string> {
  let bare = new Map(names)
  for (;;) {
    const keys = [...bare.keys()]
    const wrapper = wrappers.find((candidate) => keys.length > 0 && keys.every((name) => name.startsWith(candidate)))
    if (wrapper === undefined) return bare
    bare = startingWith(bare, wrapper)
  }
}

/** How many names have each first part. */
function groupsOf(names: Iterable<string>): Map<string, number> {
  const groups = new Map<string, number>()
  for (const name of names) {
    const [first] = name.split(".", 1)
    groups.set(first, (groups.get(first) ?? 0) + 1)
  }
  return groups
}

function ambiguous(path: string, setting: "section" | "prefix", candidates: readonly string[]): FourtierError {
  return new FourtierError({
    where: path,
    what: "several sets of weights, and nothing tells which one is meant",
    found: candidates.join(", "),
    fix: `choose one: ${setting} ${candidates[0]}, or another one`,
  })
}
