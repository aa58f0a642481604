/** `fourtier data`: from a data set of others to a plain table of clips that every verb takes as data. */

import { readFile } from "node:fs/promises"
import { dirname, isAbsolute, resolve } from "node:path"
import { csvLine, plural, type Reporter } from "@fourtier/core"
import { FourtierError } from "@fourtier/tensor"
import { writeAtomically } from "@fourtier/tensor/node"
import { examples } from "../video/findings.ts"
import { type Collection, type Counts, collectClips, countClips, type Kept } from "./collect.ts"
import type { Dataset, DatasetRequest } from "./dataset.ts"
import { Files, relativePath } from "./files.ts"

export interface DatasetReport {
  dataset: Dataset
  /** The table that was written. */
  out: string
  /** Clips in the table. */
  written: number
  /** By part of the split, "" for none. */
  parts: Map<string, Counts>
  /** By class, "" for clips without a label. */
  classes: Map<string, Counts>
  /** Rows of annotations that repeat an earlier one. */
  repeated: number
  notes: string[]
  /** Why files cannot be used, the first ones. */
  reasons: string[]
  /** Missing clips as their annotations name them. */
  missing: string[]
}

/** Clips that are written between two writes to the file. */
const BATCH = 10_000

/**
 * Reads a data set of others, checks its annotations against the folder and writes a table of the clips that are there.
 *
 * @param request what of it is not given is looked for in the root
 * @param out the table, a CSV file: paths are relative to its folder
 * @returns what was found, missing and unusable
 * @throws FourtierError for annotations that are missing, of another data set or damaged, and where no clip at all is found
 *
 * @example
 * ```ts
 * import { terminalReporter } from "@fourtier/core/node"
 * import { datasetNamed, writeDataset } from "fourtier/datasets"
 *
 * const report = await writeDataset(datasetNamed("ucf101"), { root: "UCF-101" }, "ucf101.csv", terminalReporter())
 * console.log(report.written, report.missing.length)
 * ```
 */
export async function writeDataset(
  dataset: Dataset,
  request: Partial<DatasetRequest> & { root: string },
  out: string,
  reporter: Reporter,
): Promise<DatasetReport> {
  const full: DatasetRequest = {
    annotations: [],
    wholeVideos: false,
    background: null,
    windows: null,
    frameRate: null,
    tier: null,
    ...request,
    classes: request.classes == null ? null : resolve(request.classes),
    root: resolve(request.root),
  }
  const table = resolve(out)
  await refuseOther(table)
  const files = await Files.list(full.root, table)
  const notes = [...files.notes]
  const clips = dataset.read(full, files, notes)
  const collection = await collectClips(clips, (file) => absoluteOf(files, file), reporter)
  const { parts, classes } = countClips(collection.clips)
  const found = collection.clips.filter(({ fate }) => fate === "found")
  if (found.length === 0) throw nothingFound(dataset, collection, files)
  await writeTable(dataset, found, files, table)
  const missing = collection.clips.filter(({ fate }) => fate === "missing").map(({ clip }) => clip.name)
  return {
    dataset,
    out,
    written: found.length,
    parts,
    classes,
    repeated: collection.repeated,
    notes: [...notes, ...collection.notes, ...partialDownloads(files)],
    reasons: collection.reasons,
    missing,
  }
}

/** @throws FourtierError where `out` is a file that this did not write: annotations, for example */
async function refuseOther(out: string): Promise<void> {
  const before = await readFile(out, "utf8").catch(() => null)
  if (before === null || before.startsWith("path,label")) return
  throw new FourtierError({
    where: out,
    what: "there is another file of this name",
    expected: "a table of clips, or no file",
    found:
      before
        .slice(0, before.indexOf("\n") + 1 || 80)
        .trim()
        .slice(0, 80) || "an empty file",
    fix: "choose another name with --out",
  })
}

const absoluteOf = (files: Files, file: string) => (isAbsolute(file) ? file : files.absolute(file))

function nothingFound({ title }: Dataset, { clips, reasons }: Collection, files: Files): FourtierError {
  if (clips.length === 0) {
    return new FourtierError({
      where: files.root,
      what: `the annotations of ${title} name no clip`,
      found: files.summary(),
      fix: "give the annotation files with --annotations",
    })
  }
  const count = (fate: string) => clips.filter((one) => one.fate === fate).length
  return new FourtierError({
    where: files.root,
    what: `none of the ${clips.length} clips of ${title} can be used`,
    expected: `video files such as ${examples(clips.slice(0, 3).map(({ clip }) => clip.name))}`,
    found: [
      ...(count("missing") > 0 ? [`${count("missing")} are missing`] : []),
      ...(count("unlabelled") > 0 ? [`${count("unlabelled")} held-out ones have no label`] : []),
      ...(count("contradictory") > 0 ? [`${count("contradictory")} have two labels`] : []),
      ...(count("unusable") > 0 ? [`${count("unusable")} cannot be used (${reasons[0]})`] : []),
      `the folder holds ${files.summary()}`,
    ].join("; "),
    fix: "give the folder that holds the videos, at any depth",
  })
}

/** Files that downloaders leave behind. */
function partialDownloads(files: Files): string[] {
  const partial = files.names.filter((name) => /\.(?:part|ytdl|crdownload|aria2|download|temp)$/i.test(name))
  return partial.length === 0 ? [] : [`${plural(partial.length, "download")} not finished: ${examples(partial)}`]
}

/** Value of the column `sides`: mirroring a clip of this row makes another class of it. */
const SIDES = "yes"

async function writeTable(dataset: Dataset, found: readonly Kept[], files: Files, out: string): Promise<void> {
  const windows = found.some(({ clip }) => clip.start !== undefined || clip.end !== undefined)
  const splits = found.some(({ clip }) => clip.split !== "")
  const reported = dataset.reportsOnVal === true && splits
  const columns = dataset.columns.filter((column) => found.some(({ clip }) => (clip.columns?.[column] ?? "") !== ""))
  const head = [
    "path",
    "label",
    ...(splits ? ["split"] : []),
    ...(reported ? ["split_reported"] : []),
    ...(windows ? ["start", "end"] : []),
    ...columns,
    ...(dataset.sides === true ? ["sides"] : []),
  ]
  const folder = dirname(out)
  const above = relativePath(folder, files.root)
  const pathOf = (file: string) => {
    if (isAbsolute(file)) return relativePath(folder, file)
    return above === "" ? file : `${above}/${file}`
  }
  const line = ({ clip }: Kept) =>
    csvLine([
      pathOf(clip.file ?? ""),
      clip.label,
      ...(splits ? [clip.split] : []),
      ...(reported ? [reportedPart(clip.split)] : []),
      ...(windows ? [clip.start ?? null, clip.end ?? null] : []),
      ...columns.map((column) => clip.columns?.[column] ?? null),
      ...(dataset.sides === true ? [SIDES] : []),
    ])
  await writeAtomically(out, async (file) => {
    await file.writeFile(csvLine(head))
    for (let at = 0; at < found.length; at += BATCH) {
      await file.writeFile(
        found
          .slice(at, at + BATCH)
          .map(line)
          .join(""),
      )
    }
  })
}

/** What papers report on where the test part's labels are kept back: the validation part. */
const reportedPart = (part: string) => (part === "val" ? "test" : part === "train" ? "train" : "")
