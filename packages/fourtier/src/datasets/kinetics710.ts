/**
 * Kinetics-710: the union of Kinetics-400, 600 and 700, each video once, without the videos on which any of them is tested.
 *
 * Li et al. 2022 (UniFormerV2), https://arxiv.org/abs/2211.09552. The classes that the editions call differently are those of
 * `k710_identical_label_merge.json` of VideoMAE V2 (https://github.com/OpenGVLab/VideoMAEv2); with them the 725 names of the
 * three editions become the 710 of the published label map.
 */

import { plural } from "@fourtier/core"
import { FourtierError } from "@fourtier/tensor"
import { examples } from "../video/findings.ts"
import { readClassNames } from "./class-names.ts"
import type { AnnotatedClip, Dataset } from "./dataset.ts"
import { type AnnotationFile, annotationFiles, Files } from "./files.ts"
import { ClipFinder, clipOfRow, type KineticsRow, kineticsRows } from "./kinetics.ts"

/** Names that are another name's class, as the published label map spells it. */
const SAME_CLASS: Readonly<Record<string, string>> = {
  "balloon blowing": "inflating balloons",
  "changing wheel": "changing wheel (not on bike)",
  "cooking sausages": "cooking sausages (not on barbeque)",
  drinking: "sipping cup",
  "dying hair": "dyeing hair",
  "garbage collecting": "person collecting garbage",
  hugging: "hugging (not baby)",
  "making bed": "making the bed",
  "opening bottle": "opening bottle (not wine)",
  "passing american football (not in game)": "passing American football (not in game)",
  "picking fruit": "picking apples",
  "skiing (not slalom or crosscountry)": "skiing mono",
  sniffing: "smelling feet",
  "throwing ball (not baseball or American football)": "throwing ball",
  "tying tie": "tying necktie",
}

/** Later editions first: of a video in several, their label and times are taken, where its file is there. */
const EDITIONS = ["700", "600", "400"] as const
type Edition = (typeof EDITIONS)[number]

/** The class of Kinetics-710 that a class of an edition is. */
export const mergedLabel = (label: string) => SAME_CLASS[label] ?? label

export const kinetics710: Dataset = {
  name: "kinetics710",
  title: "Kinetics-710",
  reads: "kinetics400, kinetics600 and kinetics700 in one folder",
  published: { classes: 710, parts: { train: 658_340, val: 66_803 } },
  columns: ["group", "edition"],
  reportsOnVal: true,
  async *read(request, files, notes) {
    const given = await annotationFiles(request.annotations, files)
    const rows = new Map<Edition, KineticsRow[]>()
    for (const edition of EDITIONS) {
      const own: KineticsRow[] = []
      for await (const row of kineticsRows(ofEdition(given, edition, files), files, `Kinetics-${edition}`))
        own.push(row)
      rows.set(edition, own)
    }
    if (request.classes !== null) await checkLabels(request.classes, [...rows.values()].flat())
    const finders = new Map(
      EDITIONS.map((edition) => [edition, new ClipFinder(filesOf(files, edition), request)] as const),
    )
    yield* union(rows, finders, notes)
    for (const finder of finders.values()) finder.tell(notes)
  },
}

/** Each video once: held out where any edition holds it out. */
function* union(
  rows: ReadonlyMap<Edition, readonly KineticsRow[]>,
  finders: ReadonlyMap<Edition, ClipFinder>,
  notes: string[],
): Generator<AnnotatedClip> {
  const heldOut = new Set([...rows.values()].flat().flatMap(({ part, id }) => (part === "train" ? [] : [id])))
  const taken = new Map<string, AnnotatedClip>()
  const leaked = new Set<string>()
  const relabelled = new Set<string>()
  for (const [edition, own] of rows) {
    const finder = finders.get(edition)
    if (finder === undefined) continue
    for (const row of own) {
      if (row.part === "test") continue
      if (row.part === "train" && heldOut.has(row.id)) {
        leaked.add(row.id)
        continue
      }
      const clip = { ...clipOfRow(row, finder), label: mergedLabel(row.label) }
      const before = taken.get(row.id)
      if (before !== undefined && before.label !== clip.label) relabelled.add(row.id)
      if (before !== undefined && (before.file !== null || clip.file === null)) continue
      taken.set(row.id, { ...clip, columns: { group: row.id, edition } })
    }
  }
  if (leaked.size > 0) {
    notes.push(`${plural(leaked.size, "video")} left out of training: another edition validates or tests on them`)
  }
  if (relabelled.size > 0) {
    notes.push(
      `${plural(relabelled.size, "video")} with another class in an older edition: the newest counts (${examples([...relabelled])})`,
    )
  }
  yield* taken.values()
}

/** Whether a path lies in a folder, or a file, of an edition's name: kinetics400, k600, Kinetics-700_2020. */
const isOf = (edition: Edition) => {
  const pattern = new RegExp(`(?:^|[/_-])k(?:inetics)?[-_ ]?${edition}(?![0-9])`, "i")
  return (path: string) => pattern.test(path)
}

function ofEdition(given: readonly AnnotationFile[], edition: Edition, files: Files): AnnotationFile[] {
  const own = given.filter(({ path }) =>
    isOf(edition)(path.startsWith(files.root) ? path.slice(files.root.length) : path),
  )
  if (own.some(({ path }) => /\.csv$/i.test(path))) return own
  throw new FourtierError({
    where: files.root,
    what: `no annotation files of Kinetics-${edition}`,
    expected: `kinetics${edition}/train.csv, val.csv and test.csv, beside the folders of the other two editions`,
    found: files.summary(),
    fix: `put the three data sets into folders kinetics400, kinetics600 and kinetics700 of one folder, and give that`,
  })
}

/** The videos of an edition's folder; all where none has such a name. */
function filesOf(files: Files, edition: Edition): Files {
  const own = files.names.filter(isOf(edition))
  return own.length === 0 ? files : new Files(files.root, own)
}

/** @throws FourtierError for a class that the label map lacks */
async function checkLabels(path: string, rows: readonly KineticsRow[]): Promise<void> {
  const names = new Set((await readClassNames(path)).values())
  const missing = new Set(
    rows.map(({ label }) => mergedLabel(label)).filter((label) => label !== "" && !names.has(label)),
  )
  if (missing.size === 0) return
  throw new FourtierError({
    where: path,
    what: `the label map lacks ${plural(missing.size, "class", "classes")}`,
    expected: examples([...missing]),
    found: `${names.size} classes`,
    fix: "give the label map of Kinetics-710, or leave --classes out",
  })
}
