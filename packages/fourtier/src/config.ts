/** One typed configuration for the whole method: every setting, its checks and its default. Loads no implementation. */

import { DEFAULT_METHODS, METHOD_NAMES } from "@fourtier/core/model"
import {
  CROPS,
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
import { promptsSchema, providerSchema } from "./describe/settings.ts"
import { encoderSchema } from "./encoders/catalog.ts"
import { DEFAULT_PRESET, PRESETS } from "./presets.ts"
import { textSchema, ZERO_SHOT, zeroShotSchema } from "./text/settings.ts"
import { loadSettings, type Settings, type SettingsOptions } from "./util/settings.ts"
import { splitSchema } from "./video/split-settings.ts"

export { PRESETS }

const trainingViewsSchema = z.strictObject({
  draws: z.int().min(1).describe("random views stored of each training clip"),
  steps: z.array(stepSchema).describe("steps from the decoded picture to the encoder's resolution (docs/data.md)"),
})

const trainingSchema = z.strictObject({ ...classificationSchema.shape, ...scheduleSchema.shape })

export const configSchema = z.strictObject({
  seed: z
    .int()
    .default(0)
    .describe("seed of the first training run and of the random views; `split.seed` decides the split"),
  seeds: z.int().min(1).default(1).describe("number of training runs, which differ only in their seed"),
  cache: z
    .string()
    .nullable()
    .default(null)
    .describe(
      "folder of the cache: measurements, features, text embeddings, VLM answers; null: FOURTIER_CACHE, or the user's cache folder (docs/cache.md)",
    ),
  featuresFrom: z
    .array(z.string())
    .default([])
    .describe(
      "further places of features that are read and not written: folders `features` of other caches, or addresses such as s3://bucket/cache/features (docs/scale.md)",
    ),
  classes: z
    .array(
      z.union([
        z.string(),
        z.strictObject({
          name: z.string().describe("the class's name"),
          text: z.string().describe("a sentence about the class"),
        }),
      ]),
    )
    .min(2)
    .nullable()
    .default(null)
    .describe(
      "names of all classes, each with a sentence about it if wanted; with answers to the prompts, none of them needs a labelled clip; null: the labels of the clips",
    ),
  split: splitSchema.prefault({}),
  keyFrames: z
    .strictObject({
      count: z.int().min(1).default(5).describe("frames in a strip, K"),
      height: z
        .union([z.int().min(16), z.literal("auto"), z.null()])
        .default("auto")
        .describe("height of a strip in pixels; auto: as in the video, 384 at most; null: as in the video"),
    })
    .prefault({}),
  prompts: promptsSchema
    .default("paper")
    .describe("name of a preset, list of prompts, or [] for the baseline network alone"),
  describe: providerSchema
    .nullable()
    .default(null)
    .describe("where the VLM's answers come from; null: recorded answers in descriptions.jsonl next to the data"),
  text: textSchema.prefault({}),
  encoder: encoderSchema.prefault({ kind: "movenet" }),
  views: z
    .strictObject({
      sampling: samplingSchema.prefault({ kind: "segments" }),
      train: trainingViewsSchema,
      align: trainingViewsSchema
        .nullable()
        .default(null)
        .describe("of training clips in stage 1 alone; null: those of `train`, which stage 2 and the probes see too"),
      test: z.strictObject({
        clips: z.int().min(1).describe("temporal views of each clip"),
        crops: z
          .union(CROPS.map((count) => z.literal(count)))
          .nullable()
          .default(null)
          .describe("spatial views of each temporal one, cut by the step `crop`; null: as many as the step says"),
        steps: z.array(stepSchema).describe("the same for validation and test clips, without random steps"),
      }),
    })
    .describe("how clips become the encoder's input; the number of frames and the sizes are adapted to the encoder"),
  model: modelSchema.prefault({}),
  alignment: z
    .string()
    .nullable()
    .default(null)
    .describe("folder of an alignment that `fourtier align` has made: stage 1 is taken from there; null: aligned here"),
  align: z.strictObject({ ...contrastiveSchema.shape, ...scheduleSchema.shape }).describe("stage 1"),
  finetune: trainingSchema.describe("stage 2"),
  linearProbe: trainingSchema.describe("baseline: a linear layer on the mean feature of a clip"),
  rowProbe: trainingSchema.describe("baseline: a linear layer on features that keep frame and place"),
  attentiveProbe: trainingSchema.describe("baseline: a linear layer on features pooled by attention"),
  vjepaProbe: trainingSchema.describe("baseline: V-JEPA's attentive probe of 4 blocks"),
  labelsPerClass: z
    .int()
    .min(0)
    .nullable()
    .default(null)
    .describe(
      "training clips per class whose labels are used, drawn by the seed; the other training clips count as unlabelled; labels of validation clips, if any, are used as well; null: all labels",
    ),
  pseudoLabels: pseudoLabelsSchema
    .nullable()
    .prefault({})
    .describe(
      "labels for the unlabelled training clips, derived from the answers; stage 2 of the full method trains on them too; null: unlabelled clips are used in stage 1 only",
    ),
  calibration: z
    .strictObject({
      folds: z
        .int()
        .min(2)
        .default(4)
        .describe(
          "parts that the training clips are cut into, each held out one after the other until 500 clips are, where neither 50 validation clips nor test folds tell how sure the model may be; each part is one more training of the shipped method",
        ),
    })
    .nullable()
    .prefault({})
    .describe(
      "the shipped model's probabilities are brought to a temperature fitted on held-out clips, never on test clips; null: they stay as the network gives them",
    ),
  falseAlarmRate: z
    .number()
    .min(0)
    .max(1)
    .default(0.05)
    .describe(
      "share of clips without any of the actions (folder `_background`, label `none`) that the bundle may name an action: its threshold of unknown",
    ),
  background: z
    .enum(["learn", "threshold"])
    .default("learn")
    .describe(
      "what clips without any of the actions teach: learn: one more output of the networks, never counted or shown, where each split has 19 of them or more; threshold: nothing but the threshold of unknown",
    ),
  methods: z
    .array(z.enum([...METHOD_NAMES, ZERO_SHOT]))
    .min(1)
    .default([...DEFAULT_METHODS])
    .describe(
      "methods to train and compare; zero-shot, which trains nothing, needs an encoder whose text tower is the text encoder",
    ),
  zeroShot: zeroShotSchema.prefault({}),
  exclude: z.array(z.string()).default([]).describe("classes left out of a second table of results"),
  runtime: z
    .strictObject({
      provider: z
        .enum(["auto", ...PROVIDERS])
        .default("auto")
        .describe("device for encoder and training"),
      threads: z
        .int()
        .min(1)
        .nullable()
        .default(null)
        .describe(
          "threads of ONNX Runtime; null: one per core, however much else runs: the last bits of results depend on it",
        ),
      workers: z
        .int()
        .min(1)
        .nullable()
        .default(null)
        .describe("decoding threads; null: one per core, shared with other runs on the machine"),
      batch: z
        .int()
        .min(1)
        .default(1)
        .describe("clips encoded at a time; more is no faster on a CPU (measure with `fourtier bench encoder`)"),
    })
    .prefault({}),
})

export type Config = z.infer<typeof configSchema>

/** Settings that had another name, by dotted path: the old name is an error that gives the new one. */
export const RENAMED: Readonly<Record<string, string>> = {
  "align.leastUpdates": "align.minUpdates",
  "finetune.leastUpdates": "finetune.minUpdates",
  "linearProbe.leastUpdates": "linearProbe.minUpdates",
  "rowProbe.leastUpdates": "rowProbe.minUpdates",
  "attentiveProbe.leastUpdates": "attentiveProbe.minUpdates",
  "pseudoLabels.leastRight": "pseudoLabels.errorRate",
  "pseudoLabels.minAccuracy": "pseudoLabels.errorRate",
  "model.readout": "model.classifierPooling",
  "model.vote": "model.prototypeWeight",
}

/** Where the settings of a configuration come from. */
export type ConfigOptions = Pick<SettingsOptions<typeof configSchema>, "file" | "set" | "flags" | "overlays"> & {
  preset?: string
}

/**
 * Resolves presets, files and assignments to one configuration.
 * @throws FourtierError that names the setting, where it was set, and what may stand there
 *
 * @example
 * ```ts
 * import { loadConfig } from "fourtier"
 *
 * const { value: config, print } = await loadConfig({ file: "config.yaml", set: ["finetune.epochs=60"] })
 * ```
 */
export function loadConfig(options: ConfigOptions = {}): Promise<Settings<Config>> {
  return loadSettings({
    schema: configSchema,
    presets: PRESETS,
    defaultPreset: DEFAULT_PRESET,
    renamed: RENAMED,
    ...options,
  })
}
