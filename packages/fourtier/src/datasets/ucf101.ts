/**
 * UCF-101: three official splits, trainlist01.txt to testlist03.txt, rows `Class/v_Class_g01_c01.avi [number]`.
 *
 * Soomro et al. 2012, https://arxiv.org/abs/1212.0402; https://www.crcv.ucf.edu/research/data-sets/ucf101/. Clips of one group
 * (`g01`) of a class come from one video. The files of HandstandPushups are called v_HandStandPushups_….
 */

import { basename } from "node:path"
import { FourtierError } from "@fourtier/tensor"
import type { AnnotatedClip, Dataset } from "./dataset.ts"
import { annotationFiles, stemOf } from "./files.ts"
import { linesOf } from "./lines.ts"
import { joinSplits, type SplitRow, splitColumns } from "./three-splits.ts"

const LIST = /^(train|test)list0?([123])\.txt$/i

export const ucf101: Dataset = {
  name: "ucf101",
  title: "UCF-101",
  reads: "trainlist01.txt … testlist03.txt (ucfTrainTestlist)",
  published: { classes: 101, parts: { train: 9537, test: 3783 } },
  columns: ["group", ...splitColumns],
  async *read(request, files, notes): AsyncGenerator<AnnotatedClip> {
    const rows: SplitRow[] = []
    for (const { path } of await annotationFiles(request.annotations, files)) {
      const [, part, number] = LIST.exec(basename(path)) ?? []
      if (part === undefined) continue
      for (const { where, text } of await linesOf(path)) {
        const [, name] = /^(.*?)(?:\s+\d+)?$/.exec(text) ?? []
        const [label, file] = (name ?? "").replaceAll("\\", "/").split("/")
        if (file === undefined) throw notARow(where, text)
        rows.push({ where, label, name: `${label}/${file}`, split: Number(number), part: part.toLowerCase() })
      }
    }
    if (rows.length === 0) {
      throw new FourtierError({
        where: files.root,
        what: "no official splits of UCF-101",
        expected: "trainlist01.txt, testlist01.txt, … (UCF101TrainTestSplits-RecognitionTask.zip)",
        found: files.summary(),
        fix: "unpack them into the folder, or give theirs with --annotations",
      })
    }
    for (const clip of joinSplits(rows, notes)) {
      const file = files.looseVideo(stemOf(clip.name), () => [clip.label])
      const group = /_g(\d+)_c\d+$/i.exec(stemOf(clip.name))?.[1]
      yield { ...clip, file, columns: { ...clip.columns, group: group === undefined ? "" : `${clip.label}_g${group}` } }
    }
  },
}

function notARow(where: string, text: string): FourtierError {
  return new FourtierError({
    where,
    what: "not a row of a split of UCF-101",
    expected: "Class/v_Class_g01_c01.avi",
    found: text.slice(0, 80),
  })
}
