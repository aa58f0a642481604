/** Presets: settings to start from, as data. */

import type { SettingsTree } from "./util/settings.ts"

const letterboxed = [{ step: "letterbox", size: 192 }]

/** A few hundred clips on a CPU. Chosen by measurement: see docs/decisions.md. */
const small: SettingsTree = {
  split: { val: 0 },
  encoder: { kind: "movenet", features: { motion: "difference" } },
  views: {
    train: { draws: 8, steps: [...letterboxed, { step: "flip" }] },
    test: { clips: 1, steps: [...letterboxed, { step: "mirrored" }] },
  },
  model: {
    width: 64,
    headWidth: 16,
    ffn: "conv",
    classifierPooling: "rows",
    processors: "text",
    processorWeights: "positional",
    languageWeight: 1,
  },
  align: { epochs: 0, batch: 128, learningRate: 2e-4, beta2: 0.95, similarity: "pooled", start: "ridge" },
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
  vjepaProbe: {
    epochs: 30,
    minUpdates: 150,
    batch: 16,
    learningRate: 1e-3,
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
  model: { integration: "learned", ffn: "conv", processors: "text" },
  align: {
    targets: "identity",
    epochs: 800,
    batch: 512,
    learningRate: 1e-5,
    weightDecay: 0.05,
    beta2: 0.95,
    warmupEpochs: 5,
  },
  finetune: { epochs: 40, batch: 128, learningRate: 1e-5, weightDecay: 0.05, mixup: 0.8, labelSmoothing: 0.1 },
  linearProbe: { epochs: 40, batch: 128, learningRate: 1e-3, weightDecay: 0.05, mixup: 0 },
  rowProbe: { epochs: 40, batch: 128, learningRate: 1e-3, weightDecay: 0.05, mixup: 0 },
  attentiveProbe: { epochs: 40, batch: 128, learningRate: 1e-4, weightDecay: 0.05, mixup: 0 },
  vjepaProbe: { epochs: 40, batch: 128, learningRate: 1e-4, weightDecay: 0.05, mixup: 0 },
}

export const PRESETS = { small, paper }

/** The preset where nobody names one. */
export const DEFAULT_PRESET = "small"
