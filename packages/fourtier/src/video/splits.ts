/**
 * Which clips train, which choose the model (val), which are reported (test). Groups and equal files never end on both
 * sides of a part that is drawn here.
 */

import { groupBy } from "@fourtier/core"
import { FourtierError, nearest, Rng } from "@fourtier/tensor"
import type { z } from "zod"
import { type Clip, isBackground, type Manifest } from "./manifest.ts"
import { normaliseSplit } from "./split-names.ts"
import { type SplitOptions, splitSchema } from "./split-settings.ts"
import { countLabels, drawShare, inDrawnOrder, inseparable, isLabelled, LabelTally } from "./stratify.ts"

export interface Split {
  /** The split column's name, the name of a further test part, "fold 3", or "drawn". */
  name: string
  /** Splits of one training share its clips: the name of the first of them. */
  training: string
  /** Whether it is one of several folds, whose test clips are reported together. */
  fold: boolean
  train: Clip[]
  val: Clip[]
  test: Clip[]
  /** Clips of no class: those that no model is tested on, and those of the test part. Neither is in the parts above. */
  background?: { held: Clip[]; test: Clip[] }
}

/**
 * The splits that the options ask for; by default those of the column `split`, or of `fold`, or else drawn by the seed. The test
 * part is empty where nothing is held back, or too few clips are labelled to hold any back. Clips without a label train, also
 * where the column has no value for them.
 *
 * @param drawn the test part where it is drawn, as `keepTestPart` gives it; default: drawn here, from these clips alone
 * @throws FourtierError for an unknown column or value, no clips to train on, or quarantined files in val or test
 *
 * @example
 * ```ts
 * import { readManifest, resolveSplits } from "fourtier/video"
 *
 * const { manifest } = await readManifest("runs/mine/manifest.jsonl")
 * const [{ train, val, test }] = resolveSplits(manifest, { test: 0.25, seed: 1 })
 * ```
 */
export function resolveSplits(
  manifest: Manifest,
  given: z.input<typeof splitSchema> = {},
  drawn?: ReadonlySet<Clip>,
): Split[] {
  const options = splitSchema.parse(given)
  checkSplitColumns(manifest.clips, options)
  if (options.column !== undefined) return splitByColumns(manifest, [options.column].flat(), options)
  if (options.folds !== undefined) return splitByFolds(manifest, options.folds, options)
  if (options.drawFolds !== undefined) return drawFolds(manifest.clips, options.drawFolds, options)
  if (manifest.clips.some(({ split }) => split !== null)) return splitByColumn(manifest, "split", options)
  if (manifest.clips.some(({ fold }) => fold !== null)) return splitByFolds(manifest, "fold", options)
  const test =
    drawn ?? drawPart(manifest.clips, options.test, (bundles) => inDrawnOrder(bundles, options.seed, TEST_DRAW))
  const rest = manifest.clips.filter((clip) => !test.has(clip))
  return [finish("drawn", rest, null, [...test], options)]
}

/** What the draw of a test part is called: see `inDrawnOrder`. */
export const TEST_DRAW = "test"

/**
 * Whether the test part is drawn, since neither the options nor the data say which clips are in it.
 *
 * @example
 * ```ts
 * import { drawsTest, readManifest, splitSchema } from "fourtier/video"
 *
 * const { manifest } = await readManifest("runs/mine/manifest.jsonl")
 * drawsTest(manifest.clips, splitSchema.parse({ column: "split_seq" })) // false
 * ```
 */
export function drawsTest(clips: readonly Entry[], { column, folds, drawFolds, test }: SplitOptions): boolean {
  if (column !== undefined || folds !== undefined || drawFolds !== undefined || test === 0) return false
  return clips.every(({ split, fold }) => split === null && fold === null)
}

/**
 * The split with its background clips apart from those of classes.
 *
 * @example
 * ```ts
 * import { apartBackground, readManifest, resolveSplits } from "fourtier/video"
 *
 * const { manifest } = await readManifest("runs/mine/manifest.jsonl")
 * const [split] = resolveSplits(manifest).map(apartBackground)
 * split.background?.held.length // 40
 * ```
 */
export function apartBackground(split: Split): Split {
  const shows = ({ label }: Clip) => !isBackground(label)
  const none = ({ label }: Clip) => isBackground(label)
  const { train, val, test } = split
  if (![train, val, test].some((part) => part.some(none))) return split
  return {
    ...split,
    ...{ train: train.filter(shows), val: val.filter(shows), test: test.filter(shows) },
    background: { held: [...train, ...val].filter(none), test: test.filter(none) },
  }
}

/** What of a clip decides on its part, known before anything is measured. */
export type NamedClip = Entry & { relative: string; labels: readonly string[] }

/**
 * Whether the settings and the columns that they name make a split.
 * @throws FourtierError for settings that exclude each other, unknown columns and parts, held-back clips without a label
 *
 * @example
 * ```ts
 * import { checkSplitColumns, scanSource, splitSchema } from "fourtier/video"
 *
 * const { clips } = await scanSource("clips.csv")
 * checkSplitColumns(clips, splitSchema.parse({ column: "split_seq" }))
 * ```
 */
export function checkSplitColumns(clips: readonly NamedClip[], options: SplitOptions): void {
  const chosen = [options.column, options.folds, options.drawFolds].filter((option) => option !== undefined)
  if (chosen.length > 1) {
    throw new FourtierError({
      where: "split",
      what: "column, folds and drawFolds exclude each other",
      fix: "set only one of them",
    })
  }
  if (options.drawFolds !== undefined) return
  if (options.folds !== undefined) {
    requireColumn(clips, options.folds)
    return
  }
  const named = options.column ?? (clips.some(({ split }) => split !== null) ? "split" : [])
  for (const column of [named].flat()) {
    requireColumn(clips, column)
    checkParts(clips, column)
  }
}

function checkParts(clips: readonly NamedClip[], column: string): void {
  const sideOf = (entry: Entry) => normaliseSplit(columnValue(entry, column) ?? "")
  const unknown = clips.find((clip) => !["train", "val", ""].includes(sideOf(clip)) && !isTestPart(sideOf(clip)))
  if (unknown) {
    throw new FourtierError({
      where: unknown.relative,
      what: `column ${column} holds an unknown part of a split`,
      expected: 'train, val, test, or an additional test part "test-…"',
      found: sideOf(unknown),
      fix: "empty the cell to leave a labelled clip out; if the column numbers folds, set split.folds instead of split.column",
    })
  }
  const unlabelled = clips.find((clip) => clip.labels.length === 0 && !["train", ""].includes(sideOf(clip)))
  if (unlabelled) {
    throw new FourtierError({
      where: unlabelled.relative,
      what: "a validation or test clip has no label",
      found: `${column} = ${sideOf(unlabelled)}`,
      fix: "label the clip, or move it to the training part",
    })
  }
}

/** The splits of several columns, each with a training of its own; their further test parts are named after them. */
function splitByColumns(manifest: Manifest, columns: readonly string[], options: SplitOptions): Split[] {
  return [...new Set(columns)].flatMap((column) =>
    splitByColumn(manifest, column, options).map((split) =>
      split.name === column || columns.length === 1 ? split : { ...split, name: `${column} ${split.name}` },
    ),
  )
}

/** One split for the test part, and one for each further part whose name starts with "test-", trained on the same clips. */
function splitByColumn(manifest: Manifest, column: string, options: SplitOptions): Split[] {
  const sideOf = (entry: Entry) => normaliseSplit(columnValue(entry, column) ?? "")
  refuseQuarantined(manifest, options, (entry) => {
    const side = sideOf(entry)
    return side === "val" || isTestPart(side) ? `${column} = ${side}` : null
  })
  const part = (name: string) =>
    manifest.clips.filter((clip) => (isLabelled(clip) ? sideOf(clip) : sideOf(clip) || "train") === name)
  const val = part("val")
  const first = finish(column, part("train"), val.length > 0 ? val : null, part("test"), options)
  const further = [...new Set(manifest.clips.map(sideOf))].filter((side) => isTestPart(side) && side !== "test").sort()
  return [first, ...further.map((side) => ({ ...first, name: side, test: part(side) }))]
}

/**
 * Whether a split column's value names a test part: `test`, or `test-…` for a further one.
 *
 * @example
 * ```ts
 * import { isTestPart } from "fourtier/video"
 *
 * isTestPart("test-shift") // true
 * ```
 */
export function isTestPart(side: string): boolean {
  return side === "test" || side.startsWith("test-")
}

function splitByFolds(manifest: Manifest, column: string, options: SplitOptions): Split[] {
  refuseQuarantined(manifest, options, (entry) => {
    const fold = columnValue(entry, column)
    return fold === null ? null : `${column} = ${fold}`
  })
  const folds = groupBy(manifest.clips, (clip) => columnValue(clip, column))
  folds.delete(null)
  const names = [...folds.keys()]
    .filter((name) => name !== null)
    .sort((a, b) => a.localeCompare(b, "en", { numeric: true }))
  if (names.length < 2) {
    throw new FourtierError({
      where: `column ${column}`,
      what: "fewer than two folds",
      found: names.join(", ") || "none",
    })
  }
  return names.map((name) => {
    const train = manifest.clips.filter((clip) => {
      const fold = columnValue(clip, column)
      return fold === null ? !isLabelled(clip) : fold !== name
    })
    return finish(`fold ${name}`, train, null, folds.get(name) ?? [], options)
  })
}

function drawFolds(clips: readonly Clip[], count: number, options: SplitOptions): Split[] {
  const folds = balancedFolds(clips, count, Rng.fork(options.seed, "folds"))
  if (folds.length < count) {
    throw new FourtierError({
      where: "split.drawFolds",
      what: "more folds than groups",
      expected: `${folds.length} at most`,
      found: `${count}`,
    })
  }
  return folds.map((test, k) => {
    const held = new Set(test)
    return finish(
      `fold ${k + 1}`,
      clips.filter((clip) => !held.has(clip)),
      null,
      test,
      options,
    )
  })
}

/**
 * The clips in parts that share no group and no content, each with about the same number of labels of each class. Fewer than `count`
 * where there are fewer groups. Clips without a label that belong to no group with one are left out.
 *
 * @example
 * ```ts
 * import { Rng } from "@fourtier/tensor"
 * import { balancedFolds, readManifest } from "fourtier/video"
 *
 * const { manifest } = await readManifest("runs/mine/manifest.jsonl")
 * const [first, second] = balancedFolds(manifest.clips, 2, Rng.fork(0, "halves"))
 * ```
 */
export function balancedFolds(clips: readonly Clip[], count: number, rng: Rng): Clip[][] {
  const bundles = rng
    .shuffle(inseparable(clips))
    .filter((bundle) => bundle.some(isLabelled))
    .sort((a, b) => b.length - a.length)
  const goal = new Map([...countLabels(clips)].map(([label, number]) => [label, number / count]))
  const folds = Array.from({ length: Math.min(count, bundles.length) }, (): Clip[] => [])
  const tallies = folds.map(() => new LabelTally(goal))
  for (const bundle of bundles) {
    const change = tallies.map((tally, fold) => tally.missWith(bundle) - tally.miss + folds[fold].length * 1e-6)
    const fold = change.indexOf(Math.min(...change))
    folds[fold].push(...bundle)
    tallies[fold].add(bundle)
  }
  return folds
}

/**
 * Carves val from the training clips where it is not given. Clips without a label that fell to val or test with their group
 * are left out.
 */
function finish(name: string, train: Clip[], val: Clip[] | null, held: Clip[], options: SplitOptions): Split {
  const test = held.filter(isLabelled)
  const order = (bundles: Clip[][]) =>
    name === "drawn" ? inDrawnOrder(bundles, options.seed, "val") : Rng.fork(options.seed, "val", name).shuffle(bundles)
  const drawn = val === null ? drawPart(train, options.val, order) : new Set(val)
  const rest = val === null ? train.filter((clip) => !drawn.has(clip)) : train
  if (rest.length === 0) {
    throw new FourtierError({
      where: `split ${name}`,
      what: "no clips to train on",
      found: `${test.length} in test, ${drawn.size} in val`,
      fix: "add clips, or choose another split",
    })
  }
  return { name, training: name, fold: name.startsWith("fold "), train: rest, val: [...drawn].filter(isLabelled), test }
}

/** What `drawShare` does with clips that are not drawn yet: in an order of their contents, or of the clips as they come. */
function drawPart(clips: readonly Clip[], share: number, order: (bundles: Clip[][]) => Clip[][]): Set<Clip> {
  return new Set(drawShare(clips, share, order(inseparable(clips))))
}

/** What of a clip, measured or not, its columns say. */
export interface Entry {
  columns: Record<string, string>
  split: string | null
  fold: number | null
}

/** A column's value; `split` and `fold` also where they come from folder names. Null when empty. */
function columnValue(entry: Entry, column: string): string | null {
  const value = entry.columns[column] ?? (column === "split" ? entry.split : column === "fold" ? entry.fold : null)
  return value === null || String(value).trim() === "" ? null : String(value).trim()
}

function requireColumn(clips: readonly Entry[], column: string): void {
  if (clips.some((clip) => columnValue(clip, column) !== null)) return
  const columns = [...new Set(clips.flatMap((clip) => Object.keys(clip.columns)))]
  const close = nearest(column, columns)
  throw new FourtierError({
    where: "split",
    what: `no clip has a value in column "${column}"`,
    ...(columns.length === 0 ? { found: "no further columns" } : { expected: `one of ${columns.join(", ")}` }),
    fix: close === undefined ? "name another column, or leave the setting out" : `did you mean "${close}"?`,
  })
}

function refuseQuarantined(manifest: Manifest, options: SplitOptions, use: (entry: Entry) => string | null): void {
  const allowed = new Set(options.allowQuarantined)
  const bad = manifest.quarantine.filter((entry) => use(entry) !== null && !allowed.has(entry.relative))
  if (bad.length === 0) return
  throw new FourtierError({
    where: bad[0].relative,
    what: `a validation or test file cannot be used${bad.length > 1 ? `, and ${bad.length - 1} more` : ""}`,
    found: `${use(bad[0])}; ${bad[0].reason}`,
    fix: "replace the file, remove its row, or list its path in split.allowQuarantined",
  })
}
