/**
 * The built-in ablations: those of the paper (Lu, Jian, Salah and Poppe, Tables 5, 6, 7 and C5), and one of every switch of the
 * network and of stage 1. Each is data of `definition.ts`; which levels there are depends on the configuration and on the recorded
 * answers beside the clips.
 */

import { existsSync, readdirSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import type { Config } from "../config.ts"
import { answersBeside } from "../describe/beside.ts"
import { presets, resolvePrompts } from "../describe/prompts.ts"
import type { SettingsTree } from "../util/settings.ts"
import { type Ablation, ablationSchema } from "./definition.ts"

export const BUILT_IN = ["prompts", "keyframes", "vlm", "encoder", "switches"] as const
export type BuiltIn = (typeof BUILT_IN)[number]

/**
 * A built-in ablation of a configuration.
 * @param data folder or table of clips: recorded answers are looked for beside it
 *
 * @example
 * ```ts
 * import { loadConfig } from "fourtier"
 * import { builtIn } from "fourtier/ablate"
 *
 * const { value: config } = await loadConfig()
 * Object.keys(builtIn("prompts", config, "clips").axes.prompts).length // 16: every subset of A to D
 * ```
 */
export function builtIn(name: BuiltIn, config: Config, data: string): Ablation {
  return ablationSchema.parse(DEFINITIONS[name](config, data))
}

const DEFINITIONS: Record<BuiltIn, (config: Config, data: string) => unknown> = {
  prompts: ({ prompts: chosen }) => {
    const { system, prompts } = resolvePrompts(chosen)
    const { paper } = presets
    // by their letters where those are enough, else word for word
    const named =
      system === paper.system &&
      prompts.every(({ id, text }) => paper.prompts.find((own) => own.id === id)?.text === text)
    const subsets = subsetsOf(prompts)
    const levels = subsets.map((subset) => {
      const name = subset.map(({ id }) => id).join("+") || NONE
      return [name, { prompts: named ? subset.map(({ id }) => id) : { only: [], system, add: subset } }] as const
    })
    return {
      title: "Combinations of prompts (the paper's Table 7)",
      axes: { prompts: Object.fromEntries(levels) },
      ticks: { prompts: prompts.map(({ id }) => id) },
    }
  },

  keyframes: (config, data) => ({
    title: "Key frames in a strip, K (the paper's Table C5)",
    reference: `K = ${config.keyFrames.count}`,
    across: true,
    axes: {
      "key frames": Object.fromEntries(
        [...new Set([1, 3, 5, 7, config.keyFrames.count])]
          .sort((a, b) => a - b)
          .map((count) => {
            const file = [".jsonl", ".csv"]
              .map((ending) => answersBeside(data).replace(/\.jsonl$/, `.k${count}${ending}`))
              .find((path) => existsSync(path))
            return [`K = ${count}`, { keyFrames: { count }, ...(file ? { describe: { kind: "replay", file } } : {}) }]
          }),
      ),
    },
  }),

  vlm: (config, data) => {
    const beside = answersBeside(data)
    const stem = basename(beside, ".jsonl")
    const recorded = readdirSync(dirname(beside))
      .filter((name) => name.startsWith(`${stem}.`) && /\.(jsonl|csv)$/.test(name) && !/\.k\d+\.\w+$/.test(name))
      .sort()
      .map((name) => {
        const label = name === basename(beside) ? "recorded" : name.slice(stem.length + 1).replace(/\.\w+$/, "")
        return [label, { describe: { kind: "replay", file: join(dirname(beside), name) } }] as const
      })
    const own = config.describe
      ? [["model" in config.describe ? config.describe.model : config.describe.kind, {}] as const]
      : []
    return {
      title: "Vision-language models (the paper's Table 5)",
      axes: { VLM: Object.fromEntries([...recorded, ...own, ["none (baseline)", { prompts: [] }]]) },
      reference: own[0]?.[0] ?? recorded[0]?.[0] ?? "none (baseline)",
      notes: [
        "Another VLM: put its answers beside the clips as descriptions.<name>.jsonl, or name it under axes.VLM of a file (docs/ablations.md).",
      ],
    }
  },

  encoder: ({ encoder }) => ({
    title: "Encoders with and without the prompts (the paper's Table 6)",
    methods: ["baseline", "full"],
    reference: "as configured",
    axes: {
      encoder: {
        "as configured": {},
        ...(encoder.kind === "movenet" ? MOVENETS : { MoveNet: MOVENETS["MoveNet, frame differences"] }),
      },
    },
    notes: ["Another encoder: name its checkpoint under axes.encoder of a file (docs/ablations.md, docs/encoders.md)."],
  }),

  switches: () => ({
    title: "Switches of the network and of stage 1, one at a time",
    combine: "one",
    axes: {
      integration: levelsOf(["axial", "learned"], (integration) => ({ model: { integration } })),
      ffn: levelsOf(["conv", "mlp"], (ffn) => ({ model: { ffn } })),
      pool: levelsOf(["mean", "max"], (pool) => ({ model: { pool } })),
      "classifier pooling": levelsOf(["rows", "mean"], (classifierPooling) => ({ model: { classifierPooling } })),
      attention: levelsOf(["joint", "divided"], (attention) => ({ model: { attention } })),
      positions: { yes: { model: { positions: true } }, no: { model: { positions: false } } },
      mix: { yes: { model: { mix: true } }, no: { model: { mix: false } } },
      "processor weights": levelsOf(["positional", "shared"], (processorWeights) => ({ model: { processorWeights } })),
      "language classifier": { with: { model: { languageWeight: 1 } }, without: { model: { languageWeight: 0 } } },
      "stage 1": {
        ridge: { align: { ...RIDGE, similarity: "pooled" }, model: { processors: "text" } },
        "InfoNCE, text-similarity, pooled": infoNce("text-similarity", "pooled"),
        "InfoNCE, identity, pooled": infoNce("identity", "pooled"),
        "InfoNCE, text-similarity, tokens": infoNce("text-similarity", "tokens"),
        "InfoNCE, text-similarity, flat": infoNce("text-similarity", "flat"),
      },
    },
    notes: [
      "similarity and targets are settings of InfoNCE: their levels have no language classifier, which needs ridge regression.",
    ],
  }),
}

/** The level without prompts: the baseline. */
const NONE = "none"

const MOVENETS = {
  "MoveNet, frame differences": { encoder: { kind: "movenet", features: { motion: "difference" } } },
  "MoveNet, single frames": { encoder: { kind: "movenet", features: { motion: "none" } } },
}

const RIDGE = { start: "ridge", epochs: 0, minUpdates: 0 }

/** Stage 1 trained as decided in docs/decisions.md; `flat` reads processors of the map's space. */
function infoNce(targets: string, similarity: string): SettingsTree {
  return {
    align: { start: "random", epochs: 30, minUpdates: 150, mixup: 0.8, targets, similarity },
    model: {
      languageWeight: 0,
      ...(similarity === "flat" ? { processors: "visual", processorWeights: "shared" } : { processors: "text" }),
    },
  }
}

function levelsOf(values: readonly string[], settings: (value: string) => SettingsTree): Record<string, SettingsTree> {
  return Object.fromEntries(values.map((value) => [value, settings(value)]))
}

/** All subsets, the smaller ones first, in the order of the paper's Table 7. */
function subsetsOf<T>(items: readonly T[]): T[][] {
  const rest = (from: number, size: number): T[][] =>
    size === 0
      ? [[]]
      : items.slice(from).flatMap((item, i) => rest(from + i + 1, size - 1).map((tail) => [item, ...tail]))
  return items.flatMap((_, size) => rest(0, size)).concat([[...items]])
}
