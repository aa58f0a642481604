/**
 * What may be wrong with a data set although every file can be read: said by the doctor, and by a run before it computes.
 *
 * ```
 * checkSource (names, rows, columns) ── measuring ── checkManifest (content, counts, windows) ── splits ── checkSplits
 * ```
 */

import { groupBy, plural } from "@fourtier/core"
import { FourtierError } from "@fourtier/tensor"
import { examples, type Finding } from "./findings.ts"
import type { Clip, Manifest } from "./manifest.ts"
import type { SourceClip } from "./rows.ts"
import type { Source } from "./source.ts"
import type { SplitOptions } from "./split-settings.ts"
import { checkSplitColumns, type Split } from "./splits.ts"

/** What a run would end with, seen from names and tables alone. */
export function checkSource({ clips, findings }: Source, split: SplitOptions): Finding[] {
  return [...findings, ...severalLabels(clips), ...splitColumns(clips, split)]
}

function severalLabels(clips: readonly SourceClip[]): Finding[] {
  const several = clips.filter(({ labels }) => labels.length > 1)
  if (several.length === 0) return []
  return [
    {
      level: "error",
      where: several[0].relative,
      what: `a clip has several labels${several.length > 1 ? `, and ${several.length - 1} more` : ""}`,
      found: several[0].labels.join(", "),
      fix: "give each clip one label or none, by its folder or in a column `label`",
    },
  ]
}

/** Fewer than two classes cannot be told apart. */
export function checkClasses(classes: readonly string[]): Finding[] {
  if (classes.length >= 2) return []
  return [
    {
      level: "error",
      where: "data",
      what: "too few classes",
      expected: "labelled clips of at least two classes, or their names in `classes`",
      found: classes.join(", ") || "none",
      fix: "put the clips into one folder per class, or label them in a table",
    },
  ]
}

function splitColumns(clips: readonly SourceClip[], split: SplitOptions): Finding[] {
  try {
    checkSplitColumns(clips, split)
    return []
  } catch (error) {
    return [findingOf(error)]
  }
}

/** An error that a run would end with, as a finding. Anything but a `FourtierError` is thrown on. */
export function findingOf(error: unknown): Finding {
  if (!(error instanceof FourtierError)) throw error
  return { level: "error", fix: "correct the data or the setting", ...error.complaint }
}

/** What measured clips tell. */
export function checkManifest(manifest: Manifest, duplicates: readonly Clip[][]): Finding[] {
  const { clips, classes } = manifest
  const byClass = new Map(classes.map((name) => [name, clips.filter(({ labels }) => labels.includes(name))]))
  return [
    ...lostClasses(manifest),
    ...missingFiles(manifest),
    ...sameContent(duplicates),
    ...similarNames(classes),
    ...windowsBeyondTheEnd(clips),
    ...countsOf(byClass),
    ...groupsOf(byClass),
  ]
}

const warning = (finding: Omit<Finding, "level">): Finding[] => [{ level: "warning", ...finding }]

function lostClasses({ classes, quarantine }: Manifest): Finding[] {
  const lost = [...groupBy(quarantine, ({ label }) => label)].filter(
    ([name]) => name !== null && !classes.includes(name),
  )
  if (lost.length === 0) return []
  return warning({
    what: `${plural(lost.length, "class", "classes")} without a single clip that can be used`,
    found: examples(lost.map(([name, files]) => `${name} (${files[0].reason})`)),
    fix: "repair or replace the files; until then the model will not know these classes",
  })
}

function missingFiles({ root, quarantine }: Manifest): Finding[] {
  const missing = quarantine.filter(({ reason }) => reason === "the file is missing")
  if (missing.length === 0) return []
  return warning({
    what: `${plural(missing.length, "file")} named in a table that ${missing.length === 1 ? "is" : "are"} not there`,
    expected: `paths relative to ${root}`,
    found: examples(missing.map(({ columns, relative }) => columns.path ?? relative)),
    fix: "correct the paths: they count from the table's folder, and capitals matter",
  })
}

function sameContent(duplicates: readonly Clip[][]): Finding[] {
  const contrary = duplicates.filter((same) => new Set(same.map(({ labels }) => labels.join("|"))).size > 1)
  if (contrary.length === 0) return []
  const told = contrary.map((same) =>
    same.map(({ relative, labels }) => `${relative} (${labels.join("|") || "no label"})`),
  )
  return warning({
    what: `${plural(contrary.length, "clip")} with the same content under different labels`,
    found: examples(told.map((one) => one.join(" = "))),
    fix: "keep the copy whose label is right, and remove the others",
  })
}

/** Names that differ in capitals, spaces, hyphens and underlines alone. */
function similarNames(classes: readonly string[]): Finding[] {
  const plain = (name: string) =>
    name
      .toLowerCase()
      .normalize("NFKC")
      .replaceAll(/[\s_-]+/g, "")
  const similar = [...groupBy(classes, plain).values()].filter((names) => names.length > 1)
  if (similar.length === 0) return []
  return warning({
    what: "classes whose names differ in capitals, spaces or hyphens alone",
    found: examples(similar.map((names) => names.join(" and "))),
    fix: "give them one name if they mean one class",
  })
}

function windowsBeyondTheEnd(clips: readonly Clip[]): Finding[] {
  const cut = clips.filter(({ start, end, duration, fps }) => end !== null && end - (start ?? 0) - duration > 1.5 / fps)
  if (cut.length === 0) return []
  const told = cut.map(({ relative, start, end, duration }) => {
    return `${relative} to ${end} s, which ends at ${((start ?? 0) + duration).toFixed(2)} s`
  })
  return warning({
    what: `${plural(cut.length, "clip")} cut short: the column \`end\` lies beyond the end of the video`,
    found: examples(told),
    fix: "correct `end` (seconds from the file's first frame), or leave it empty to go on to the end",
  })
}

/** The largest class over the smallest from which on they count as unbalanced. */
const UNBALANCED = 4

/** Clips of a class from which on some can be held back for a test. */
const TESTABLE = 3

function countsOf(byClass: ReadonlyMap<string, readonly Clip[]>): Finding[] {
  const counts = [...byClass].map(([name, clips]) => ({ name, count: clips.length })).sort((a, b) => b.count - a.count)
  const found: Finding[] = []
  const [largest] = counts
  const smallest = counts.at(-1)
  if (largest && smallest && largest.count >= UNBALANCED * smallest.count && largest.count >= 2 * UNBALANCED) {
    const all = counts.reduce((sum, { count }) => sum + count, 0)
    const share = Math.round((100 * largest.count) / all)
    found.push({
      level: "warning",
      what: "the classes are unbalanced",
      found: `${largest.count} labelled clips of ${largest.name}, ${smallest.count} of ${smallest.name}`,
      fix: `label more clips of the small classes; read "mean class" beside top-1: always saying ${largest.name} is right for ${share} %`,
    })
  }
  const few = counts.filter(({ count }) => count < TESTABLE)
  if (few.length > 0) {
    found.push({
      level: "warning",
      what: `${plural(few.length, "class", "classes")} with fewer than ${TESTABLE} labelled clips`,
      found: examples(few.map(({ name, count }) => `${name}: ${count}`)),
      fix: `one is enough to train with; to measure the accuracy of a class, label ${TESTABLE} or more`,
    })
  }
  return found
}

function groupsOf(byClass: ReadonlyMap<string, readonly Clip[]>): Finding[] {
  const groups = new Map(
    [...byClass].map(([name, clips]) => [name, new Set(clips.flatMap(({ group }) => group ?? []))] as const),
  )
  const classesOfGroup = groupBy(
    [...groups].flatMap(([name, own]) => [...own].map((group) => ({ name, group }))),
    ({ group }) => group,
  )
  if (classesOfGroup.size < 2) return []
  const perClass = [...groups.values()].reduce((sum, own) => sum + own.size, 0) / Math.max(1, groups.size)
  const findings: Finding[] = []
  if ([...classesOfGroup.values()].every((classes) => classes.length === 1) && perClass < 5) {
    findings.push(
      ...warning({
        what: "every group holds clips of one class alone",
        found: examples([...classesOfGroup].map(([group, [{ name }]]) => `${group}: ${name}`)),
        fix: "what tells groups apart (person, place, camera) tells the classes apart too, and a test will not show it: record each class in several groups",
      }),
    )
  }
  const single = [...groups].filter(([, own]) => own.size === 1).map(([name]) => name)
  if (single.length > 0) {
    findings.push(
      ...warning({
        what: `${plural(single.length, "class", "classes")} with clips of one group alone`,
        found: examples(single),
        fix: "groups stay whole in a split, so these classes cannot be both trained and tested: record them in further groups",
      }),
    )
  }
  return findings
}

/** The same content, or clips of one group, on more than one side of a split that is used. */
export function checkSplits(splits: readonly Split[]): Finding[] {
  return (["content", "group"] as const).flatMap((kind) => {
    const shared = new Map<string, string>()
    for (const { train, val, test } of splits) {
      const sides = Object.entries({ train, val, test }).flatMap(([side, clips]) =>
        clips.map((clip) => ({ side, clip })),
      )
      for (const [key, same] of groupBy(sides, ({ clip }) => (kind === "content" ? clip.hash : clip.group))) {
        const names = [...new Set(same.map(({ side }) => side))]
        if (key === null || names.length < 2) continue
        const what = kind === "content" ? [...new Set(same.map(({ clip }) => clip.relative))].join(" = ") : key
        shared.set(key, `${what} in ${names.join(" and ")}`)
      }
    }
    if (shared.size === 0) return []
    return warning({
      what:
        kind === "content"
          ? `${plural(shared.size, "clip")} with the same content on both sides of a split`
          : `${plural(shared.size, "group")} on both sides of a split`,
      found: examples([...shared.values()]),
      fix: "accuracy will look better than it is: keep them on one side, or let the split be drawn (without a column `split`)",
    })
  })
}
