/** What a report says of how a run was made: data, splits, encoder, words, versions. */

import { basename, dirname, extname, resolve } from "node:path"
import type { Prompt } from "../describe/prompts.ts"
import type { VisualEncoder } from "../encoders/encoder.ts"
import type { Answers } from "../text/targets.ts"
import { version } from "../util/version.ts"
import { checkSplits } from "../video/checks.ts"
import type { Clip } from "../video/manifest.ts"
import type { Split } from "../video/splits.ts"
import type { About } from "./run-files.ts"

export interface AboutInput {
  /** Path of a folder or a table. */
  data: string
  configHash: string
  reference: string
  seeds: readonly number[]
  encoder: VisualEncoder
  splits: readonly Split[]
  classes: readonly { name: string; words: string }[]
  prompts: readonly Prompt[]
  answers: Answers | null
  /** Who has answered. */
  model: string | null
  textEncoder: string
  labelsPerClass: number | null
}

/** What is known before anything is trained; journals are added when it is. */
export function aboutRun(input: AboutInput): About {
  const { encoder, splits, answers } = input
  const { T, H, W, D } = encoder.size
  return {
    format: 1,
    title: `${dataName(input.data)}: ${encoder.name}`,
    data: dataName(input.data),
    fourtier: version,
    node: process.versions.node,
    configHash: input.configHash,
    status: "training",
    reference: input.reference,
    seeds: [...input.seeds],
    encoder: {
      name: encoder.name,
      id: encoder.id,
      frames: encoder.frames,
      resolution: [encoder.resolution[0], encoder.resolution[1]],
      map: [T, H, W, D],
    },
    words: answers && {
      model: input.model,
      textEncoder: input.textEncoder,
      clips: answers.size,
      answers: [...answers.values()].reduce((sum, own) => sum + Object.keys(own).length, 0),
    },
    prompts: input.prompts.map(({ id, text }) => ({ id, text })),
    classes: [...input.classes],
    labelsPerClass: input.labelsPerClass,
    splits: splits.map(({ name, training, fold, train, val, test }) => ({
      name,
      training,
      fold,
      train: countOf(train),
      val: countOf(val),
      test: countOf(test),
    })),
    findings: checkSplits(splits),
    journals: [],
  }
}

/** Name of a folder; of a table with the folder that it lies in. */
function dataName(data: string): string {
  const path = resolve(data)
  return extname(path) === "" ? basename(path) : `${basename(dirname(path))}/${basename(path)}`
}

function countOf(clips: readonly Clip[]): About["splits"][number]["train"] {
  const classes: Record<string, number> = {}
  for (const { label } of clips) if (label !== null) classes[label] = (classes[label] ?? 0) + 1
  return { clips: clips.length, classes }
}
