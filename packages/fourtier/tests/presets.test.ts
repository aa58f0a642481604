/**
 * Protects `preset: paper`: value by value what Tables A2 and A3, Section 4.1 and the architecture of the paper say. Each case names
 * the row. Where the paper contradicts itself, the case says what is taken (docs/decisions.md).
 */

import { readFileSync } from "node:fs"
import { modelSchema } from "@fourtier/core/schemas"
import { cosineWithWarmup } from "@fourtier/tensor/optim"
import { describe, expect, it } from "vitest"
import { hasShared, shared } from "../../../tests/shared.ts"
import { type Config, loadConfig } from "../src/config.ts"
import { openVisualEncoder } from "../src/encoders/catalog.ts"
import { viewRecipes } from "../src/stages/index.ts"

const { value: paper } = await loadConfig({ preset: "paper" })
const steps = (views: { steps: readonly { step: string }[] } | null) => (views?.steps ?? []).map(({ step }) => step)

/** Row, the value printed there, what the preset has, what it must be. */
type Row = [row: string, printed: string, found: (config: Config) => unknown, expected: unknown]

const TABLE_A2: Row[] = [
  ["base learning rate", "1.e-5", ({ align }) => align.learningRate, 1e-5],
  ["weight decay", "0.05", ({ align }) => align.weightDecay, 0.05],
  ["optimizer momentum", "$\\beta 1, \\beta 2 = 0.9, 0.95$", ({ align }) => [align.beta1, align.beta2], [0.9, 0.95]],
  ["batch size", "512", ({ align }) => align.batch, 512],
  ["warmup epoch", "5", ({ align }) => align.warmupEpochs, 5],
  ["epoch", "800", ({ align }) => align.epochs, 800],
  ["repeated augmentation", "1", ({ views }) => views.align?.draws, 1],
  ["flip augmentation", "no", ({ views }) => steps(views.align).includes("flip"), false],
  ["augmentation", "MultiScaleCrop", ({ views }) => steps(views.align), ["shortSide", "multiScaleCrop"]],
]

const TABLE_A3: Row[] = [
  ["base learning rate", "1.e-5", ({ finetune }) => finetune.learningRate, 1e-5],
  ["weight decay", "0.05", ({ finetune }) => finetune.weightDecay, 0.05],
  [
    "optimizer momentum",
    "$\\beta 1, \\beta 2 = 0.9, 0.999$",
    ({ finetune }) => [finetune.beta1, finetune.beta2],
    [0.9, 0.999],
  ],
  ["batch size", "128", ({ finetune }) => finetune.batch, 128],
  ["warmup epoch", "5", ({ finetune }) => finetune.warmupEpochs, 5],
  ["epoch", "40", ({ finetune }) => finetune.epochs, 40],
  ["repeated augmentation", "2", ({ finetune, views }) => [finetune.repeats, views.train.draws], [2, 2]],
  ["label smoothing", "0.1", ({ finetune }) => finetune.labelSmoothing, 0.1],
  ["mixup", "0.8", ({ finetune }) => finetune.mixup, 0.8],
  ["flip augmentation", "yes", ({ views }) => steps(views.train).includes("flip"), true],
  ["augmentation", "MultiScaleCrop", ({ views }) => steps(views.train), ["shortSide", "multiScaleCrop", "flip"]],
]

const SECTION_4_1: Row[] = [
  ["the number of keyframes", "K=5", ({ keyFrames }) => keyFrames.count, 5],
  [
    "strips as high as the video (Sec. 3.2)",
    "H \\times (W \\times K) \\times 3",
    ({ keyFrames }) => keyFrames.height,
    null,
  ],
  ["sparse sampling", "sparse sampling [52]", ({ views }) => views.sampling.kind, "segments"],
  ["stage 1: learning rate", "1.0×10^{-5}", ({ align }) => align.learningRate, 1e-5],
  ["stage 1: batch size", "batch size to 512", ({ align }) => align.batch, 512],
  // appendix A.2: 40 epochs; Table A2 and Section 4.1 agree on 800
  ["stage 1: epochs", "800 epochs", ({ align }) => align.epochs, 800],
  ["stage 1: InfoNCE, no other target than the clip's own", "InfoNCE loss", ({ align }) => align.targets, "identity"],
  // Section 4.1: 1.5e-6 and stage 1's batch of 512; Table A3, which lists all settings of the stage: 1e-5 and 128
  ["stage 2: learning rate, Table A3's", "1.5×10^{-6}", ({ finetune }) => finetune.learningRate, 1e-5],
  ["stage 2: epochs", "40 epochs", ({ finetune }) => finetune.epochs, 40],
  ["reported on the validation set: none held back", "the validation set", ({ split }) => split.val, 0],
  ["crops of B/16 in Table 1", "8×224^2\t4×3", ({ views: { test } }) => [test.clips, test.crops], [4, 3]],
]

const ARCHITECTURE: Row[] = [
  ["four prompts (Sec. 3.2)", "(A)", ({ prompts }) => prompts, "paper"],
  ["projection of a processor: Conv1d", "torch.nn.Conv1d", ({ model }) => model.processors, "text"],
  [
    "one matrix for all rows, and no layer more",
    "torch.nn.Conv1d",
    ({ model }) => [model.processorWeights, model.processorHidden],
    ["shared", null],
  ],
  // kernel 1 pools nothing; Section 3.1 pools over space and over time
  ["maxpool2d of kernel 1", "maxpool2d(features, kernelsize=1, stride=1)", ({ model }) => model.pool, "mean"],
  ["integration", "DepthwiseSeparableConv2d((T+N), D, kernelsize=(T,N)", ({ model }) => model.integration, "learned"],
  ["3×3 convolution after the sum", "nn.Conv2d(kernelsize=3, padding=1, stride=1)", ({ model }) => model.mix, true],
  ["two blocks", "2 × [MHSA+nn.Conv2d", ({ model: { blocks, ffn } }) => [blocks, ffn], [2, "conv"]],
  ["average pooling", "torch.nn.AvgPool2d", ({ model }) => model.classifierPooling, "mean"],
  ["no positions", "MHSA", ({ model }) => model.positions, false],
  ["nothing beside the classifier", "Softmax", ({ model: m }) => [m.prototypeWeight, m.languageWeight], [0, 0]],
  ["all channels", "T \\times h \\times w \\times D", ({ model }) => model.width, null],
]

describe("preset paper", () => {
  it.each(TABLE_A2)("Table A2, %s: %s", (_row, _printed, found, expected) => expect(found(paper)).toEqual(expected))
  it.each(TABLE_A3)("Table A3, %s: %s", (_row, _printed, found, expected) => expect(found(paper)).toEqual(expected))
  it.each(SECTION_4_1)("Section 4.1, %s: %s", (_row, _printed, found, expected) =>
    expect(found(paper)).toEqual(expected),
  )
  it.each(ARCHITECTURE)("Architecture, %s: %s", (_row, _printed, found, expected) =>
    expect(found(paper)).toEqual(expected),
  )

  it("Tables A2 and A3, learning rate schedule: cosine decay after a linear warm-up, to zero", () => {
    const rate = (step: number) => cosineWithWarmup(step, { peak: 1, warmup: 100, steps: 900 })
    expect([rate(49), rate(99), rate(500)].map((value) => Math.round(100 * value) / 100)).toEqual([0.5, 1, 0.5])
    expect(rate(899)).toBeLessThan(1e-4)
  })

  it("Section 4.1, encoder: with UniFormerV2 it is 8 frames of 224² on B/16, 4×3 views at test", async () => {
    const set = ["encoder.kind=uniformerv2", "encoder.checkpoint=random"]
    const { value } = await loadConfig({ preset: "paper", set })
    const encoder = await openVisualEncoder(value.encoder)
    const { align, train, test } = viewRecipes(value, encoder)
    expect([encoder.frames, encoder.resolution, encoder.size.D]).toEqual([8, [224, 224], 768])
    expect(align.steps.map((step) => ("size" in step ? step.size : null))).toEqual([299, 224])
    expect([align.draws?.count, train.draws?.count]).toEqual([1, 2])
    expect([test.sampling.clips, test.steps.at(-1)]).toEqual([4, { step: "crop", size: 224, views: "three" }])
  })

  it("leaves no switch of the architecture to a default that may change", async () => {
    const { PRESETS } = await import("../src/presets.ts")
    const { model } = PRESETS.paper
    const free = ["headWidth", "probeHeads"]
    const open = Object.keys(modelSchema.shape).filter((key) => !Object.keys(Object(model)).includes(key))
    expect(open.sort()).toEqual(free)
  })

  it.skipIf(!hasShared("the rows in the paper's own words", "paper"))(
    "names rows and values that the paper has",
    () => {
      const text = readFileSync(shared("paper", "four-tiered-prompts.txt"), "utf8")
      const end = { A2: text.indexOf("Table A2: Parameter"), A3: text.indexOf("Table A3: Parameter") }
      const tables = { A2: text.slice(text.lastIndexOf("Parameter\tValue", end.A2), end.A2), A3: "" }
      tables.A3 = text.slice(text.lastIndexOf("Parameter\tValue", end.A3), end.A3)
      for (const [row, printed] of TABLE_A2) expect(tables.A2).toContain(`\n${row}\t${printed}\n`)
      for (const [row, printed] of TABLE_A3) expect(tables.A3).toContain(`\n${row}\t${printed}\n`)
      expect([...SECTION_4_1, ...ARCHITECTURE].filter(([, printed]) => !text.includes(printed))).toEqual([])
      // every row is held: optimiser and schedule are no settings, and "α 0.7" is defined nowhere
      const rows = (table: string) =>
        table
          .trim()
          .split("\n")
          .slice(1)
          .map((line) => line.split("\t")[0])
      const others = ["optimizer", "learning rate schedule"]
      expect(rows(tables.A2).sort()).toEqual([...TABLE_A2.map(([row]) => row), ...others].sort())
      expect(rows(tables.A3).sort()).toEqual([...TABLE_A3.map(([row]) => row), ...others, "α"].sort())
    },
  )
})
