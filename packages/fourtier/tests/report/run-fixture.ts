/** The folder of a run that never ran: all files that a page is made from, with names that want to be markup. */

import { mkdir } from "node:fs/promises"
import { join } from "node:path"
import type { Prediction } from "@fourtier/core/metrics"
import { writeFileAtomic } from "@fourtier/tensor/node"
import sharp from "sharp"
import type { Inspection } from "../../src/experiment/inspection.ts"
import { writeReport } from "../../src/report/report.ts"
import {
  type About,
  stripsOf,
  writeAbout,
  writeAnswers,
  writeInspection,
  writeTimes,
} from "../../src/report/run-files.ts"
import { type Clip, type Manifest, writeManifest } from "../../src/video/manifest.ts"
import { stripPath } from "../../src/video/strips.ts"

export const HOSTILE = `</script><img src=x onerror="globalThis.hacked=1">`
export const PROMPTS = ["A", "B"]

export interface FixtureOptions {
  classes?: string[]
  /** Test clips of each class. */
  perClass?: number
  /** How many of them full gets wrong. */
  wrong?: number
  seeds?: number[]
  /** What there is: a run may be at its beginning, or have no test. */
  tested?: boolean
  status?: About["status"]
  prompts?: string[]
  /** Test parts, each with a training of its own. */
  splits?: string[]
}

export function clipNamed(id: string, label: string | null, more: Partial<Clip> = {}): Clip {
  return {
    id,
    path: `/data/${id}.mp4`,
    relative: `${id}.mp4`,
    label,
    labels: label === null ? [] : [label],
    split: null,
    fold: null,
    group: null,
    start: null,
    end: null,
    hash: `hash of ${id}`,
    duration: 4,
    frames: 100,
    fps: 25,
    width: 320,
    height: 240,
    codec: "h264",
    rotation: 0,
    columns: {},
    ...more,
  }
}

/** Writes the folder. @returns its test clips */
export async function writeRun(run: string, options: FixtureOptions = {}): Promise<Clip[]> {
  const {
    classes = ["hug, tight", HOSTILE, "<!--", "指さす"],
    perClass = 4,
    seeds = [0, 1],
    prompts = PROMPTS,
  } = options
  const { tested = true, status = "done", wrong = 1, splits = ["test"] } = options
  await mkdir(run, { recursive: true })
  const make = (part: string) =>
    classes.flatMap((label, c) =>
      Array.from({ length: perClass }, (_, i) =>
        clipNamed(`${part}/${c}-${i}`, label, {
          group: `g${i % 3}`,
          columns: { place: i % 2 === 0 ? "yard" : "hall" },
        }),
      ),
    )
  const [train, test] = [make("train"), make("test")]
  const manifest: Manifest = {
    root: "/data",
    clips: [
      ...train,
      ...test,
      clipNamed("train/copy", classes[0], { hash: train[0].hash }),
      clipNamed("train/short", classes[0], { frames: 3 }),
    ],
    classes,
    quarantine: [
      {
        path: "/data/b.mp4",
        relative: `b${HOSTILE}.mp4`,
        reason: "it has no frames",
        label: null,
        split: null,
        fold: null,
        start: null,
        end: null,
        columns: {},
      },
    ],
  }
  await writeManifest(join(run, "manifest.jsonl"), {
    manifest,
    stamps: new Map(manifest.clips.map(({ path }) => [path, { size: 1, mtime: 1, fileHash: path }])),
  })
  await writeAbout(run, aboutOf(classes, perClass, seeds, status, prompts))
  await writeFileAtomic(join(run, "config.yaml"), `encoder: ${HOSTILE}\n`)
  const journal = Array.from({ length: 40 }, (_, i) =>
    JSON.stringify({ step: i + 1, epoch: i, split: "train", loss: 2 / (i + 1), learningRate: 1 }),
  )
  await writeFileAtomic(join(run, "trials/test/seed0/full/metrics.jsonl"), `${journal.join("\n")}\n`)
  if (!tested) return []
  // of every class the first clips are taken for the next class: one by full, two by the others
  const runOf = (method: string, wrong: number, split: string) => ({
    split,
    method,
    trainedWeights: 247_000,
    predictions: seeds.flatMap((seed) =>
      test.map(({ id, group }, k): Prediction => {
        const label = Math.floor(k / perClass)
        const said = k % perClass < wrong ? (label + 1) % classes.length : label
        return {
          clipId: id,
          label,
          group: group ?? undefined,
          fold: split,
          seed,
          probabilities: classes.map((_, c) =>
            classes.length === 1 ? 1 : c === said ? 0.9 : 0.1 / (classes.length - 1),
          ),
        }
      }),
    ),
  })
  const prompt = Object.fromEntries(prompts.map((id) => [id, { skill: 0.5, z: 6, weight: 0.5 }]))
  await writeReport(run, {
    title: `A report on ${HOSTILE}`,
    classes,
    runs: splits.flatMap((split, i) => [
      runOf("linear-probe", 2, split),
      runOf("baseline", 2, split),
      runOf("full", wrong + i, split),
      runOf("full, shuffled answers", 2, split),
    ]),
    reference: "full",
    configHash: "5f1c",
    bootstrap: { resamples: 200 },
    together: splits.length > 1 ? splits : [],
    retrieval: [{ split: splits[0], seed: 0, answers: "", prompts: prompt }],
    calibrations: new Map(splits.map((split) => [split, { temperature: 1.7, clips: 12, from: "cross-fitting" }])),
    background: splits.flatMap((split) =>
      seeds.map((seed) => ({
        ...{ split, seed, threshold: 0.61, falseAlarmRate: 0.05, learned: false, clips: 9, tested: 7 },
        ...{ falseAlarms: 1 / 7, recognised: 0.75, rocArea: 0.9375 },
      })),
    ),
    views: {
      ...{ clips: 4, crops: 3, encoder: "uniformerv2 B/16", frames: 8, resolution: [224, 224] as const },
      networks: [
        {
          ...{ name: "encoder", weights: 114.2e6, macs: 1.5e11, tflops: 1.8 },
          published: { name: "UniFormerV2-B/16", table: "Table 1", weights: 115, tflops: 1.8 },
        },
        { name: "baseline", weights: 116e6, macs: 1.51e11, tflops: 1.81, published: null },
      ],
    },
  })
  await writeInspection(run, inspectionOf(classes, perClass, train, test, prompts))
  await writeAnswers(
    run,
    Object.fromEntries(
      train.map(({ id, label }) => [id, Object.fromEntries(prompts.map((p) => [p, `Answer ${p}: ${label}`]))]),
    ),
  )
  await writeTimes(run, [
    { stage: "answers", seconds: 3, requests: 8, dollars: 0.25 },
    { stage: "stage 2: full", seconds: 61 },
  ])
  const picture = await sharp({ create: { width: 420, height: 84, channels: 3, background: "#456" } })
    .jpeg()
    .toBuffer()
  for (const clip of [...test.slice(0, 40), ...train.slice(0, 8)])
    await writeFileAtomic(stripPath(stripsOf(run), clip), picture)
  return test
}

function aboutOf(
  classes: string[],
  perClass: number,
  seeds: number[],
  status: About["status"],
  prompts: string[],
): About {
  const part = {
    clips: classes.length * perClass,
    classes: Object.fromEntries(classes.map((name) => [name, perClass])),
  }
  return {
    format: 1,
    title: `clips ${HOSTILE}`,
    data: "clips",
    fourtier: "0.1.0",
    node: "20.19.0",
    configHash: "5f1c",
    status,
    reference: "full",
    seeds,
    encoder: { name: "movenet", id: "0123456789abcdef", frames: 8, resolution: [192, 192], map: [8, 3, 3, 640] },
    words:
      prompts.length > 0
        ? { model: "llava", textEncoder: "use-lite", clips: part.clips, answers: part.clips * prompts.length }
        : null,
    prompts: prompts.map((id) => ({ id, text: `Question ${id} about ${HOSTILE}` })),
    classes: classes.map((name) => ({ name, words: name })),
    labelsPerClass: null,
    splits: [{ name: "test", training: "test", fold: false, train: part, val: { clips: 0, classes: {} }, test: part }],
    findings: [],
    journals: [{ title: "full", path: "trials/test/seed0/full/metrics.jsonl" }],
  }
}

function inspectionOf(classes: string[], perClass: number, train: Clip[], test: Clip[], prompts: string[]): Inspection {
  const look = (clips: Clip[], part: "test" | "train") =>
    clips.map(({ id }, k): Inspection["clips"][number] => {
      const label = Math.floor(k / perClass)
      const said = k % perClass === 0 ? (label + 1) % classes.length : label
      const shown = [...new Set([said, label])]
      return {
        id,
        split: "test",
        part,
        label,
        classes: shown,
        all: shown.map((_, i) => (i === 0 ? 0.9 : 0.05)),
        without: Object.fromEntries(prompts.map((p) => [p, shown.map((_, i) => (i === 0 ? 0.6 : 0.3))])),
        closest: Object.fromEntries(prompts.map((p) => [p, [[train[label * perClass].id, 0.6]]])),
      }
    })
  const points = [
    ...test.map((clip, i) => ({ clip, i, part: "test" as const })),
    ...train.map((clip, i) => ({ clip, i, part: "train" as const })),
  ].map(({ clip, i, part }) => ({
    id: clip.id,
    label: Math.floor(i / perClass),
    part,
    x: Math.cos(i),
    y: Math.sin(i * 1.7),
  }))
  const nearest = { value: 0.8, low: 0.6, high: 0.9, chance: 0.2, clips: test.length }
  return {
    format: 1,
    method: "full",
    seed: 0,
    classes,
    prompts,
    clips: [...look(test, "test"), ...look(train.slice(0, 2), "train")].slice(0, 300),
    maps: [
      { method: "full", split: "test", nearest, points: points.slice(0, 500) },
      { method: "baseline", split: "test", nearest: { ...nearest, value: 0.7 }, points: points.slice(0, 500) },
    ],
    doubts: {
      clips: train.length,
      basis: "linear",
      found: train.slice(0, 1).map(({ id }) => ({
        clip: id,
        label: 0,
        features: { class: Math.min(1, classes.length - 1), share: 0.7, own: 0.1 },
        answers: { class: Math.min(1, classes.length - 1), share: 0.8, own: 0.05 },
      })),
    },
  }
}
