/** Trains and compares detectors on annotated key frames, prints a table, and writes results, detections and a bundle. */

import { mkdir } from "node:fs/promises"
import { join } from "node:path"
import { plural, type Reporter } from "@fourtier/core"
import type { PlainBox } from "@fourtier/core/metrics"
import { terminalReporter } from "@fourtier/core/node"
import { detectionSchema, type Step } from "@fourtier/core/schemas"
import { FourtierError } from "@fourtier/tensor"
import { writeFileAtomic } from "@fourtier/tensor/node"
import type { Config } from "../../config.ts"
import { providerBeside } from "../../describe/beside.ts"
import { type ClippedPart, clipKeyFrames } from "../../detection/clips.ts"
import { compareDetectors, DETECTORS, type Detector, learnsWords, trainingClips } from "../../detection/compare.ts"
import type { DetectionData } from "../../detection/data.ts"
import { detectKeyFrames } from "../../detection/detected.ts"
import { peopleClips } from "../../detection/people.ts"
import { readPersonBoxes } from "../../detection/person-boxes.ts"
import { readAnnotations } from "../../detection/read.ts"
import { type DetectionWords, SUBJECTS, type Subject } from "../../detection/words.ts"
import { openVisualEncoder } from "../../encoders/catalog.ts"
import type { VisualEncoder } from "../../encoders/encoder.ts"
import { extractFeatures } from "../../features/extract.ts"
import { promptsOf } from "../../requirements.ts"
import * as stages from "../../stages/index.ts"
import { openCache } from "../../util/cache-folders.ts"
import { interruptible } from "../interrupt.ts"
import type { DetectorOptions } from "../options.ts"
import { tableOf, writeResults } from "./detection-results.ts"
import { shipDetector } from "./detection-ship.ts"
import { runFolder } from "./folders.ts"
import { oneOf } from "./one-of.ts"
import { openNamedDetector } from "./open-detector.ts"
import { readConfig } from "./read-config.ts"

export interface DetectionOptions extends DetectorOptions {
  methods?: string[]
  subject: string
  boxes?: string
  threshold?: number
  window: number
  every: number
  frameRate: number
  jitter: number
  out?: string
}

/** Runs the comparison. `options` holds those of `settingsOptions` as well. */
export async function compareOnData(folder: string, options: DetectionOptions): Promise<void> {
  const { value: config, print } = await readConfig(options)
  const subject = oneOf("--subject", options.subject, SUBJECTS)
  const methods = methodsOf(folder, options, config)
  const out = options.out ?? join(runFolder(folder), "detection")
  const reporter = terminalReporter()
  await interruptible(async (signal) => {
    const context = { config, reporter, signal }
    if (methods.some(learnsWords)) await stages.checkAnswerSources(folder, context)
    const data = await readAnnotations(folder, { every: options.every, frameRate: options.frameRate })
    for (const note of data.notes) reporter.warn(note)
    const parts = await clipKeyFrames(data, options.window, reporter)
    const encoder = await openVisualEncoder(config.encoder)
    for (const note of encoder.notes ?? []) reporter.say(note)
    const { provider, threads, workers, batch } = config.runtime
    const runtime = { provider, threads: threads ?? undefined }
    const recipe = {
      sampling: { ...config.views.sampling, frames: encoder.frames, clips: 1 },
      steps: [letterboxFor(encoder)],
    }
    const { features, people, older } = await openCache(config.cache, reporter)
    const detected = await detectedBoxes(data, parts, options, {
      folder: people,
      threads: runtime.threads,
      reporter,
      signal,
    })
    const { store, failed } = await extractFeatures(
      parts.flatMap(({ clips }) => clips.map(({ clip }) => clip)),
      {
        ...{ encoder, recipe: { ...recipe, draws: null }, pool: config.model.pool, root: features },
        ...{ others: older ? [older.features] : [], reporter, runtime, workers: workers ?? undefined, batch, signal },
      },
    )
    try {
      const lost = new Set(failed.map(({ clip }) => clip.hash))
      if (lost.size > 0)
        reporter.warn(`${plural(lost.size, "clip")} cannot be decoded, such as ${failed[0].error.message}`)
      const usable = parts.map((part) => ({ ...part, clips: part.clips.filter(({ clip }) => !lost.has(clip.hash)) }))
      const asked = { folder, data, parts: usable, subject, window: options.window, encoder, context }
      const words = methods.some(learnsWords) ? await wordsOf(asked) : null
      const comparison = await compareDetectors({
        ...{ classes: data.classes, parts: usable, features: store, size: encoder.size, steps: recipe.steps },
        ...{ methods, words, detected },
        seeds: Array.from({ length: config.seeds }, (_, i) => config.seed + i),
        labelsPerClass: config.labelsPerClass,
        model: config.model,
        align: config.align,
        training: {
          "linear-probe": config.linearProbe,
          "attentive-probe": config.attentiveProbe,
          baseline: config.finetune,
          full: config.finetune,
        },
        detection: detectionSchema.parse({ jitter: options.jitter }),
        ...{ runtime, reporter, signal },
      })
      await mkdir(out, { recursive: true })
      await writeFileAtomic(join(out, "config.yaml"), print())
      await writeResults(out, comparison, data, { subject: words?.subject ?? null })
      process.stdout.write(`${tableOf(comparison)}\n`)
      const about = { encoder, recipe, window: options.window, classes: data.classes, config, runtime, reporter }
      const prompts = words ? promptsOf(config).prompts : []
      await shipDetector(join(out, "bundle"), comparison, { ...about, prompts })
      process.stdout.write(`${out}\n`)
    } finally {
      await store.close()
    }
  })
}

/** Whole pictures, as large as the encoder's frames allow. */
function letterboxFor({ resolution: [height, width] }: VisualEncoder): Step {
  return { step: "letterbox", size: width, ...(height === width ? {} : { height }), fill: [0, 0, 0] }
}

/** Those that are named; by default all that can be trained: with words where there are answers. */
function methodsOf(data: string, { methods }: DetectionOptions, config: Config): Detector[] {
  if (methods !== undefined) return methods.map((name) => oneOf("--methods", name, DETECTORS))
  const hasWords = promptsOf(config).prompts.length > 0 && (config.describe ?? providerBeside(data)) !== null
  return DETECTORS.filter((method) => hasWords || !learnsWords(method))
}

/** Answers about the training clips or the people in them, as vectors. */
async function wordsOf({
  folder,
  data,
  parts,
  subject,
  window,
  encoder,
  context,
}: {
  folder: string
  data: DetectionData
  parts: readonly ClippedPart[]
  subject: Subject
  window: number
  encoder: VisualEncoder
  context: stages.StageContext
}): Promise<DetectionWords> {
  const { config } = context
  const framed = trainingClips(parts)
  const people = subject === "person" ? peopleClips(framed, data, window) : []
  const clips = subject === "person" ? people.map(({ clip }) => clip) : framed.map(({ clip }) => clip)
  const prompts = promptsOf(config)
  const ids = prompts.prompts.map(({ id }) => id)
  const all = new Set(clips.map(({ id }) => id))
  const regions = subject === "person" ? new Map(people.map(({ clip, region }) => [clip.id, region])) : undefined
  const answers = await stages.describeClips(folder, clips, all, prompts, context, regions)
  const classes = data.classes.map(({ name }) => name)
  const text = await stages.embedTexts(answers, ids, classes, encoder, context)
  return { subject, prompts: ids, text, people }
}

/** Score from which boxes of a file count, as SlowFast's are used in testing. */
const FILE_THRESHOLD = 0.8

/** The boxes that a file holds, or a detector finds; null where neither is named. */
async function detectedBoxes(
  data: DetectionData,
  parts: readonly ClippedPart[],
  options: DetectionOptions,
  { threads, ...context }: { folder: string; threads?: number; reporter: Reporter; signal: AbortSignal },
): Promise<PlainBox[] | null> {
  const { boxes: file, detector: named, threshold } = options
  if (file !== undefined && named !== undefined) {
    throw new FourtierError({ where: "--boxes, --detector", what: "one of them alone", fix: "leave one out" })
  }
  if (file !== undefined) {
    const least = threshold ?? FILE_THRESHOLD
    const { boxes, low, empty } = await readPersonBoxes(file, least)
    context.reporter.say(
      `${plural(boxes.length, "person box", "person boxes")}; left out: ${low} below ${least}, ${empty} outside or empty`,
    )
    return boxes
  }
  if (named === undefined) return null
  const detector = await openNamedDetector(options, threads)
  try {
    return await detectKeyFrames(data, parts, { detector, threshold, ...context })
  } finally {
    await detector.release()
  }
}
