/** One typed configuration for the whole method: defaults, checks, presets. */

import { METHOD_NAMES } from "@fourtier/core/model"
import {
  classificationSchema,
  contrastiveSchema,
  modelSchema,
  pseudoLabelsSchema,
  samplingSchema,
  scheduleSchema,
  stepSchema,
} from "@fourtier/core/schemas"
import { PROVIDERS } from "@fourtier/tensor"
import { z } from "zod"
import { promptsSchema } from "./describe/prompts.ts"
import { providerSchema } from "./describe/providers.ts"
import { encoderSchema } from "./encoders/catalog.ts"
import { textSchema } from "./text/targets.ts"
import { loadSettings, type SettingsOptions, type SettingsTree } from "./util/settings.ts"
import { splitSchema } from "./video/splits.ts"

const probeSchema = z.strictObject({
  ...classificationSchema.shape,
  ...scheduleSchema.shape,
})

export const configSchema = z.strictObject({
  seed: z
    .int()
    .default(0)
    .describe("seed of the random views and of the first training run; train, val and test are drawn by `split.seed`"),
  seeds: z.int().min(1).default(1).describe("training runs that differ in their seed alone"),
  cache: z.string().default(".fourtier").describe("folder of features, text embeddings and VLM answers"),
  split: splitSchema.prefault({}),
  keyFrames: z
    .strictObject({
      count: z.int().min(1).default(5).describe("frames of a strip, K"),
      height: z.int().min(16).nullable().default(null).describe("pixels; null: as in the video"),
    })
    .prefault({}),
  prompts: promptsSchema.default("paper").describe("preset name, list of prompts, or [] for the baseline network"),
  describe: providerSchema
    .nullable()
    .default(null)
    .describe("where the VLM's answers come from; null: recorded answers in descriptions.jsonl beside the data"),
  text: textSchema.prefault({}),
  encoder: encoderSchema.prefault({ kind: "movenet" }),
  views: z
    .strictObject({
      sampling: samplingSchema.prefault({ kind: "segments" }),
      train: z.strictObject({
        draws: z.int().min(1).describe("random views of each training clip that are kept"),
        steps: z.array(stepSchema).describe("from the decoded picture to the encoder's resolution (docs/data.md)"),
      }),
      test: z.strictObject({
        clips: z.int().min(1).describe("temporal views"),
        steps: z.array(stepSchema).describe("likewise, none of them random"),
      }),
    })
    .describe("how clips become the encoder's input; frames and sizes are fitted to the encoder"),
  model: modelSchema.prefault({}),
  align: z.strictObject({ ...contrastiveSchema.shape, ...scheduleSchema.shape }).describe("stage 1"),
  finetune: z.strictObject({ ...classificationSchema.shape, ...scheduleSchema.shape }).describe("stage 2"),
  linearProbe: probeSchema,
  rowProbe: probeSchema.describe("a linear probe that keeps frame and place"),
  attentiveProbe: probeSchema,
  labelsPerClass: z
    .int()
    .min(1)
    .nullable()
    .default(null)
    .describe(
      "training clips of each class whose labels may be used, drawn by the seed; the others count as clips without a label; those of validation clips, where there are any, are used as well",
    ),
  pseudoLabels: pseudoLabelsSchema
    .nullable()
    .prefault({})
    .describe(
      "classes of training clips without a label, from the answers about them: stage 2 of the full method learns from them too; null: they teach stage 1 alone",
    ),
  methods: z
    .array(z.enum(METHOD_NAMES))
    .min(1)
    .default([...METHOD_NAMES])
    .describe("what is trained and reported"),
  exclude: z.array(z.string()).default([]).describe("classes that a second table leaves out"),
  runtime: z
    .strictObject({
      provider: z
        .enum(["auto", ...PROVIDERS])
        .default("auto")
        .describe("device of encoder and training"),
      threads: z.int().min(1).nullable().default(null).describe("null: one per core"),
      workers: z.int().min(1).nullable().default(null).describe("decoding threads; null: one per core"),
      batch: z
        .int()
        .min(1)
        .default(1)
        .describe("clips through the encoder at a time; more is no faster on a CPU, see fourtier bench encoder"),
    })
    .prefault({}),
})

export type Config = z.infer<typeof configSchema>

const letterboxed = [{ step: "letterbox", size: 192 }]

/** A few hundred clips on a CPU. Chosen by measurement: see docs/decisions.md. */
const small: SettingsTree = {
  split: { val: 0 },
  encoder: { kind: "movenet", features: { motion: "difference" } },
  views: {
    train: { draws: 8, steps: [...letterboxed, { step: "flip" }] },
    test: { clips: 1, steps: [...letterboxed, { step: "mirrored" }] },
  },
  model: { width: 64, headWidth: 16, ffn: "conv", classifierPooling: "rows" },
  align: {
    epochs: 150,
    minUpdates: 150,
    batch: 128,
    learningRate: 2e-3,
    beta2: 0.95,
    warmupEpochs: 15,
    similarity: "flat",
    targets: "identity",
    mixup: 0.8,
  },
  finetune: {
    epochs: 30,
    minUpdates: 150,
    batch: 16,
    learningRate: 2e-3,
    mixup: 0.8,
    dropout: 0.2,
    clipNorm: 1,
    warmupEpochs: 3,
  },
  linearProbe: { epochs: 80, minUpdates: 400, batch: 16, learningRate: 1e-2, mixup: 0, warmupEpochs: 8 },
  rowProbe: { epochs: 80, minUpdates: 400, batch: 16, learningRate: 2e-3, mixup: 0.8, warmupEpochs: 8 },
  attentiveProbe: {
    epochs: 30,
    minUpdates: 150,
    batch: 16,
    learningRate: 2e-3,
    mixup: 0.8,
    clipNorm: 1,
    warmupEpochs: 3,
  },
}

/** Tables A2 and A3 of the paper. */
const paper: SettingsTree = {
  views: {
    train: {
      draws: 2,
      steps: [{ step: "shortSide", size: 256 }, { step: "multiScaleCrop", size: 192 }, { step: "flip" }],
    },
    test: {
      clips: 4,
      steps: [
        { step: "shortSide", size: 192 },
        { step: "crop", size: 192, views: "three" },
      ],
    },
  },
  model: { integration: "learned", ffn: "conv" },
  align: { epochs: 800, batch: 512, learningRate: 1e-5, weightDecay: 0.05, beta2: 0.95, warmupEpochs: 5 },
  finetune: { epochs: 40, batch: 128, learningRate: 1e-5, weightDecay: 0.05, mixup: 0.8, labelSmoothing: 0.1 },
  linearProbe: { epochs: 40, batch: 128, learningRate: 1e-3, weightDecay: 0.05, mixup: 0 },
  rowProbe: { epochs: 40, batch: 128, learningRate: 1e-3, weightDecay: 0.05, mixup: 0 },
  attentiveProbe: { epochs: 40, batch: 128, learningRate: 1e-4, weightDecay: 0.05, mixup: 0 },
}

export const PRESETS = { small, paper }

/** Resolves presets, files and assignments to one configuration. Errors name the setting. */
export function loadConfig(
  options: Pick<SettingsOptions<typeof configSchema>, "file" | "set" | "flags"> & { preset?: string } = {},
) {
  return loadSettings({ schema: configSchema, presets: PRESETS, defaultPreset: "small", ...options })
}
