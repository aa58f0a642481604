/**
 * A test part that stays: which clips were drawn for the test is kept beside the data, so that adding, renaming or removing clips
 * moves no other.
 *
 * ```
 * clips ─ known by content, else by path ─┬─ in the file: as it says; with a test clip in their group: test
 *                                         └─ new: drawn until every class has its share again
 * ```
 */

import { groupBy } from "@fourtier/core"
import type { Clip } from "./manifest.ts"
import { type SplitOptions, splitSchema } from "./split-settings.ts"
import { TEST_DRAW } from "./splits.ts"
import { drawShare, inDrawnOrder, inseparable, isLabelled } from "./stratify.ts"

/** A clip's row in the file. */
export interface PartRow {
  part: "train" | "test"
  /** Path relative to the data, with the window where there is one: `clipName`. */
  path: string
  group: string
  /** `Clip.hash`; "" where a person has added the row. */
  hash: string
}

/** What a file holds. */
export interface KeptPart {
  rows: readonly PartRow[]
  /** The share that it was last drawn with; null where it does not say. */
  share: number | null
}

export interface TestDraw {
  test: Set<Clip>
  /** What to keep: the rows of these clips, and those of clips that are not there now. */
  rows: PartRow[]
  /** Clips that were drawn now. */
  joined: Clip[]
  /** Those of `joined` that have trained before, since a larger share is asked for or no test clip is left. */
  moved: Clip[]
  /** Clips that have trained before, and now share a group or their content with a test clip. */
  drawnIn: Clip[]
  /** Whether a larger share is asked for. */
  grows: boolean
}

/**
 * How a clip is named in the file.
 *
 * @example
 * ```ts
 * import { clipName } from "fourtier/video"
 *
 * clipName({ relative: "jump/a.mp4", start: 1.5, end: null }) // "jump/a.mp4@1.5-"
 * ```
 */
export function clipName({ relative, start, end }: Pick<Clip, "relative" | "start" | "end">): string {
  return start === null && end === null ? relative : `${relative}@${start ?? ""}-${end ?? ""}`
}

/**
 * The test part of the clips.
 * @param kept what was drawn before; null the first time
 *
 * @example
 * ```ts
 * import { drawTest, readManifest } from "fourtier/video"
 *
 * const { manifest } = await readManifest("runs/mine/manifest.jsonl")
 * const { rows } = drawTest(manifest.clips, { test: 0.2 }, null)
 * drawTest(manifest.clips, { test: 0.2 }, { rows, share: 0.2 }).joined // []
 * ```
 */
export function drawTest(
  clips: readonly Clip[],
  options: Partial<Pick<SplitOptions, "test" | "seed">>,
  kept: KeptPart | null,
): TestDraw {
  const { test: share, seed } = splitSchema.parse({ test: options.test, seed: options.seed })
  const rowOf = rowFinder(clips, kept?.rows ?? [])
  const bundles = inDrawnOrder(inseparable(clips), seed, TEST_DRAW)
  const partOf = (bundle: readonly Clip[]) => {
    const parts = bundle.map((clip) => rowOf(clip)?.part)
    return parts.includes("test") ? "test" : parts.includes("train") ? "train" : null
  }
  const parts = new Map(bundles.map((bundle) => [bundle, partOf(bundle)] as const))
  const held = bundles.filter((bundle) => parts.get(bundle) === "test").flat()
  const grows = held.some(isLabelled) && kept !== null && share > (kept.share ?? share)
  const candidates = bundles.filter((bundle) => {
    const part = parts.get(bundle)
    return part === null || (part === "train" && (grows || !held.some(isLabelled)))
  })
  const joined = drawShare(clips, share, candidates, held)
  const test = new Set([...held, ...joined])
  if (!joined.some(isLabelled) && !held.some(isLabelled))
    return { test, rows: [...(kept?.rows ?? [])], joined, moved: [], drawnIn: [], grows }
  const rows = clips.flatMap((clip): PartRow[] => {
    if (!isLabelled(clip) && !rowOf(clip)) return []
    const part = test.has(clip) ? "test" : "train"
    return [{ part, path: clipName(clip), group: clip.group ?? "", hash: clip.hash }]
  })
  const found = new Set(clips.flatMap((clip) => rowOf(clip) ?? []))
  const absent = (kept?.rows ?? []).filter((row) => !found.has(row))
  return {
    test,
    rows: [...rows, ...absent],
    joined,
    moved: joined.filter((clip) => rowOf(clip)?.part === "train"),
    drawnIn: held.filter((clip) => rowOf(clip)?.part === "train"),
    grows,
  }
}

/**
 * The row of a clip: of its content; else, among rows whose content is gone, of its path, of its path with another ending (encoded anew), or
 * of the same name in a class folder of the same name (encoded anew and moved). Names count where one row and one clip alone have them.
 */
function rowFinder(clips: readonly Clip[], rows: readonly PartRow[]): (clip: Clip) => PartRow | undefined {
  const byHash = new Map(rows.filter(({ hash }) => hash !== "").map((row) => [row.hash, row]))
  const present = new Set(clips.map(({ hash }) => hash))
  const absent = rows.filter(({ hash }) => !present.has(hash))
  const byPath = new Map(absent.map((row) => [plainName(row.path), row]))
  // of one content under several rows, a test row counts
  for (const row of rows) if (row.part === "test" && row.hash !== "") byHash.set(row.hash, row)
  const exact = (clip: Clip) => byHash.get(clip.hash) ?? byPath.get(plainName(clipName(clip)))
  const found = new Map<Clip, PartRow>()
  for (const clip of clips) {
    const row = exact(clip)
    if (row !== undefined) found.set(clip, row)
  }
  for (const key of [withoutEnding, nameAndFolder]) {
    const taken = new Set(found.values())
    const rowsOf = groupBy(
      absent.filter((row) => !taken.has(row)),
      ({ path }) => key(plainName(path)),
    )
    const clipsOf = groupBy(
      clips.filter((clip) => !found.has(clip)),
      (clip) => key(plainName(clipName(clip))),
    )
    for (const [name, [row, ...others]] of rowsOf) {
      const [clip, ...further] = clipsOf.get(name) ?? []
      if (clip !== undefined && others.length + further.length === 0) found.set(clip, row)
    }
  }
  return (clip) => found.get(clip)
}

const plainName = (path: string) => path.replaceAll("\\", "/").normalize("NFC")

/** Without the file's ending; a window stays. */
const withoutEnding = (path: string) => path.replace(/\.\w{2,5}(?=@[\d.]*-[\d.]*$|$)/, "")

const nameAndFolder = (path: string) => withoutEnding(path).split("/").slice(-2).join("/")
