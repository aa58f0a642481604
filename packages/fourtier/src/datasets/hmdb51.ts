/**
 * HMDB51: for each class and split a file `<class>_test_split<1–3>.txt`, rows `<file>.avi <0|1|2>`: 1 train, 2 test, 0 neither.
 *
 * Kuehne et al. 2011, https://serre.lab.brown.edu/hmdb51.html. Names of files hold brackets, "&", ";", "#", "!" and apostrophes.
 */

import { basename } from "node:path"
import { FourtierError } from "@fourtier/tensor"
import type { AnnotatedClip, Dataset } from "./dataset.ts"
import { annotationFiles, stemOf } from "./files.ts"
import { linesOf } from "./lines.ts"
import { joinSplits, type SplitRow, splitColumns } from "./three-splits.ts"

const LIST = /^(.+)_test_split([123])\.txt$/i

const PARTS: Readonly<Record<string, string>> = { "0": "", "1": "train", "2": "test" }

export const hmdb51: Dataset = {
  name: "hmdb51",
  title: "HMDB51",
  reads: "<class>_test_split1.txt … 3 (testTrainMulti_7030_splits)",
  published: { classes: 51, parts: { train: 3570, test: 1530, "": 1666 } },
  columns: [...splitColumns],
  async *read(request, files, notes): AsyncGenerator<AnnotatedClip> {
    const rows: SplitRow[] = []
    for (const { path } of await annotationFiles(request.annotations, files)) {
      const [, label, number] = LIST.exec(basename(path)) ?? []
      if (label === undefined) continue
      for (const { where, text } of await linesOf(path)) {
        const [, name, code = ""] = /^(.*\S)\s+(\d+)$/.exec(text) ?? []
        const part = PARTS[code]
        if (name === undefined || part === undefined) throw notARow(where, text)
        rows.push({ where, name: `${label}/${name}`, label, split: Number(number), part })
      }
    }
    if (rows.length === 0) {
      throw new FourtierError({
        where: files.root,
        what: "no official splits of HMDB51",
        expected: "<class>_test_split1.txt and so on, 153 files (test_train_splits.rar)",
        found: files.summary(),
        fix: "unpack them into the folder, or give theirs with --annotations",
      })
    }
    for (const clip of joinSplits(rows, notes))
      yield { ...clip, file: files.looseVideo(stemOf(clip.name), () => [clip.label]) }
  },
}

function notARow(where: string, text: string): FourtierError {
  return new FourtierError({
    where,
    what: "not a row of a split of HMDB51",
    expected: "<file>.avi and 0, 1 or 2",
    found: text.slice(0, 80),
  })
}
