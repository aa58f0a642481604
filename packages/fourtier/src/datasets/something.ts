/**
 * Something-Something V2: JSON files of labels and clips, videos `<id>.webm` in one folder. Classes are templates
 * ("Pushing [something] from left to right"), so clips are not mirrored.
 *
 * Goyal et al. 2017, https://arxiv.org/abs/1706.04261; distributed by Qualcomm
 * (https://www.qualcomm.com/developer/software/something-something-v-2-dataset).
 */

import { basename } from "node:path"
import { FourtierError } from "@fourtier/tensor"
import { z } from "zod"
import { parseCsv } from "../util/csv.ts"
import { readForeignText } from "../util/text.ts"
import type { AnnotatedClip, Dataset } from "./dataset.ts"
import { annotationFiles, type Files } from "./files.ts"
import { jsonOf, partOfName } from "./lines.ts"

const labelsSchema = z.record(z.string(), z.union([z.string(), z.number()]))

const clipsSchema = z.array(
  z.object({
    id: z.union([z.string(), z.number()]).transform(String),
    label: z.string().optional(),
    template: z.string().optional(),
  }),
)

/** A template as the file of labels has it: without brackets. */
const withoutBrackets = (template: string) => template.replaceAll(/[[\]]/g, "")

export const somethingV2: Dataset = {
  name: "something-v2",
  title: "Something-Something V2",
  reads: "labels.json, train.json, validation.json, test.json",
  published: { classes: 174, parts: { train: 168_913, val: 24_777, test: 27_157 } },
  columns: ["text"],
  sides: true,
  reportsOnVal: true,
  async *read(request, files, notes) {
    const given = (await annotationFiles(request.annotations, files)).map(({ path }) => path)
    const json = given.filter((path) => /\.json$/i.test(path))
    const classes = await readLabels(required(json, (path) => /labels/i.test(basename(path)), "labels.json", files))
    const lists = new Map(json.map((path) => [partOfName(path), path]))
    required(json, (path) => partOfName(path) === "train", "train.json", files)
    const answers = await readAnswers(given.find((path) => /answers\.csv$/i.test(path)))
    let without = 0
    for (const part of ["train", "val", "test"]) {
      const path = lists.get(part)
      if (path === undefined) notes.push(`no annotation file of the part "${part}"`)
      else
        for (const clip of await readClips(path, part, answers, classes)) {
          if (clip.label === "") without++
          yield { ...clip, file: files.video(clip.name.replace(/\.webm$/, "")) }
        }
    }
    if (without > 0) notes.push(`${without} clips have no label: those of the test part are in test-answers.csv`)
  },
}

function required(paths: readonly string[], is: (path: string) => boolean, name: string, files: Files): string {
  const found = paths.find(is)
  if (found !== undefined) return found
  throw new FourtierError({
    where: files.root,
    what: `no ${name} of Something-Something V2`,
    expected: `${name}, or something-something-v2-${name}`,
    found: files.summary(),
    fix: "put the annotation files into the folder, or give theirs with --annotations",
  })
}

async function readLabels(path: string): Promise<Set<string>> {
  const parsed = labelsSchema.safeParse(await jsonOf(path))
  if (parsed.success) return new Set(Object.keys(parsed.data))
  throw new FourtierError({ where: path, what: "not a file of labels", found: z.prettifyError(parsed.error) })
}

/** Rows of "id;template" by id. */
async function readAnswers(path: string | undefined): Promise<Map<string, string>> {
  if (path === undefined) return new Map()
  const rows = parseCsv(await readForeignText(path), path, { separator: ";" })
  return new Map(rows.map(({ fields: [id, label] }) => [id, withoutBrackets(label ?? "")]))
}

/** @throws FourtierError for a template that is none of the labels */
async function readClips(
  path: string,
  part: string,
  answers: ReadonlyMap<string, string>,
  classes: ReadonlySet<string>,
): Promise<AnnotatedClip[]> {
  const parsed = clipsSchema.safeParse(await jsonOf(path))
  if (!parsed.success) {
    throw new FourtierError({
      where: path,
      what: "not a list of clips of Something-Something V2",
      expected: '[{"id": "78687", "label": "…", "template": "Holding [something] next to [something]", …}, …]',
      found: z.prettifyError(parsed.error).slice(0, 300),
    })
  }
  return parsed.data.map(({ id, label: text, template }, i) => {
    const label = template === undefined ? (answers.get(id) ?? "") : withoutBrackets(template)
    const where = `${path}[${i}]`
    if (label !== "" && !classes.has(label)) {
      throw new FourtierError({
        where,
        what: "a template that is none of the labels",
        expected: `one of the ${classes.size} of labels.json`,
        found: label,
        fix: "take all annotation files from one download",
      })
    }
    return { where, name: `${id}.webm`, file: null, label, split: part, columns: { text: text ?? "" } }
  })
}
