/**
 * Kinetics-400, 600, 700 and 700-2020: a CSV file for each part, a row a clip: label, id of the YouTube video, first and last second.
 *
 * Kay et al. 2017, https://arxiv.org/abs/1705.06950; Carreira et al. 2018 and 2019, https://arxiv.org/abs/1808.01340,
 * https://arxiv.org/abs/1907.06987; Smaira et al. 2020, https://arxiv.org/abs/2010.10864. Downloads name a clip
 * `<id>_<first second>_<last second>.mp4`, the seconds with six digits (the crawler of ActivityNet, CVDF), or `<id>.mp4`.
 */

import { plural } from "@fourtier/core"
import { FourtierError } from "@fourtier/tensor"
import type { AnnotatedClip, Dataset, DatasetRequest, Published } from "./dataset.ts"
import { type AnnotationFile, annotationFiles, type Files } from "./files.ts"
import { partOfName, rowsOf } from "./lines.ts"

/** A row of a Kinetics CSV file. */
export interface KineticsRow {
  where: string
  label: string
  id: string
  start: number
  end: number
  part: string
}

const COLUMNS = ["youtube_id", "time_start", "time_end"]

/** How many classes each edition has. */
const EDITIONS: Readonly<Record<number, string>> = { 400: "Kinetics-400", 600: "Kinetics-600", 700: "Kinetics-700" }

const PARTS = ["train", "val", "test"] as const

function kinetics(name: string, title: string, published: Published): Dataset {
  return {
    name,
    title,
    reads: "train.csv, val.csv or validate.csv, test.csv: label,youtube_id,…",
    published,
    columns: ["group"],
    reportsOnVal: true,
    async *read(request, files, notes) {
      const named = new ClipFinder(files, request)
      const labels = new Map<string, string>()
      for await (const row of kineticsRows(await annotationFiles(request.annotations, files), files, title)) {
        if (row.label !== "" && !labels.has(row.label)) labels.set(row.label, row.where)
        const clip = clipOfRow(row, named)
        yield clip.file === null ? clip : { ...clip, columns: { group: row.id } }
      }
      checkEdition(labels, title, published.classes, notes)
      named.tell(notes)
    },
  }
}

/**
 * The rows of an edition's CSV files.
 * @throws FourtierError where there are none, several for one part, or a row's seconds are no numbers
 */
export async function* kineticsRows(
  given: readonly AnnotationFile[],
  files: Files,
  title: string,
): AsyncGenerator<KineticsRow> {
  const tables = given.filter(({ path, part }) => /\.csv$/i.test(path) && (part ?? partOfName(path)) !== null)
  const byPart = new Map<string, string>()
  for (const { path, part: own } of tables) {
    const part = own ?? partOfName(path) ?? ""
    const before = byPart.get(part)
    if (before !== undefined) {
      throw new FourtierError({
        where: path,
        what: `two annotation files of the part "${part}"`,
        found: before,
        fix: "give those to use: --annotations <folder or files>",
      })
    }
    byPart.set(part, path)
  }
  if (byPart.size === 0) {
    throw new FourtierError({
      where: files.root,
      what: `no annotation files of ${title}`,
      expected:
        "train.csv, val.csv or validate.csv, test.csv, with the columns label,youtube_id,time_start,time_end,split",
      found: files.summary(),
      fix: "put them into the folder, or give them with --annotations",
    })
  }
  const labels = new Map<string, string>()
  for (const part of PARTS) {
    const path = byPart.get(part)
    if (path === undefined) continue
    for await (const { where, values } of rowsOf(path, COLUMNS)) {
      const start = secondsOf(where, "time_start", values("time_start"))
      const end = secondsOf(where, "time_end", values("time_end"))
      yield { where, label: plainLabel(values("label"), labels), id: values("youtube_id"), start, end, part }
    }
  }
}

/** A label without quotes; every time the same string, so that half a million rows hold one of each. */
function plainLabel(text: string, known: Map<string, string>): string {
  const before = known.get(text)
  if (before !== undefined) return before
  const label = text.replaceAll('"', "").trim().normalize("NFC")
  known.set(text, label)
  return label
}

function secondsOf(where: string, column: string, text: string): number {
  const seconds = Number(text)
  if (text !== "" && seconds >= 0) return seconds
  throw new FourtierError({
    where,
    what: `${column} is no time`,
    expected: "seconds",
    found: text || "nothing",
    fix: "give the annotation file as it is distributed",
  })
}

/**
 * @param labels every label, with the place where it was first
 * @throws FourtierError where the labels are those of another edition
 */
function checkEdition(labels: ReadonlyMap<string, string>, title: string, expected: number, notes: string[]): void {
  if (labels.size === expected) return
  const other = EDITIONS[labels.size]
  if (labels.size > expected || other !== undefined) {
    throw new FourtierError({
      where: [...labels.values()][0].replace(/:\d+$/, ""),
      what: `the annotations are not those of ${title}`,
      expected: `${expected} classes`,
      found: `${labels.size} classes${other === undefined ? "" : `: ${other}`}`,
      fix: "choose the data set's name by its edition, or give other annotations",
    })
  }
  notes.push(`the annotations name ${labels.size} of the ${expected} classes of ${title}`)
}

/** Finds the file of a row by the names that downloads give it. */
export class ClipFinder {
  readonly #files: Files
  readonly #wholeVideos: boolean
  /** Clips whose file is named by the video alone. */
  #byVideo = 0

  constructor(files: Files, { wholeVideos }: Pick<DatasetRequest, "wholeVideos">) {
    this.#files = files
    this.#wholeVideos = wholeVideos
  }

  find({ id, start, end, part, label }: KineticsRow): { file: string | null; whole: boolean } {
    const near = () => [
      part,
      part === "val" ? "validation" : part,
      `${part}_256`,
      `videos_${part}`,
      label,
      label.replaceAll(" ", "_"),
    ]
    const [from, to] = [Math.floor(start), Math.floor(end)]
    const digits = (second: number) => String(second).padStart(6, "0")
    const cut =
      this.#files.video(`${id}_${digits(from)}_${digits(to)}`, near) ?? this.#files.video(`${id}_${from}_${to}`, near)
    if (cut !== null) return { file: cut, whole: false }
    const whole = this.#files.video(id, near)
    if (whole !== null) this.#byVideo++
    return { file: whole, whole: whole !== null && this.#wholeVideos }
  }

  tell(notes: string[]): void {
    if (this.#byVideo === 0) return
    const clips = `${plural(this.#byVideo, "clip")} ${this.#byVideo === 1 ? "is" : "are"} named by the video alone`
    notes.push(
      this.#wholeVideos
        ? `${clips}: taken as whole videos, of which start and end are the clip`
        : `${clips}: taken as cut. Where they are whole videos, add --whole-videos`,
    )
  }
}

/** A row with its file. */
export function clipOfRow(row: KineticsRow, finder: ClipFinder): AnnotatedClip {
  const { where, label, part } = row
  const { file, whole } = finder.find(row)
  const seconds = (second: number) => String(Math.floor(second)).padStart(6, "0")
  const name = `${row.id}_${seconds(row.start)}_${seconds(row.end)}.mp4`
  const clip = { where, name, file, label, split: part }
  return whole ? { ...clip, start: row.start, end: row.end } : clip
}

export const kinetics400 = kinetics("kinetics400", "Kinetics-400", {
  classes: 400,
  parts: { train: 246_245, val: 20_000, test: 40_000 },
})

export const kinetics600 = kinetics("kinetics600", "Kinetics-600", {
  classes: 600,
  parts: { val: 30_000, test: 60_000 },
})

export const kinetics700 = kinetics("kinetics700", "Kinetics-700", {
  classes: 700,
  parts: { val: 35_000, test: 70_000 },
})
