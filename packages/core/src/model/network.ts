/**
 * A network on the frozen encoder's raw map, with all weights that it needs: standardisation first, then what a method builds.
 *
 * ```
 * raw m [B,T,N,D] ─ standardise ─ (mixup) ─► m [B,T,N,W] ─┬──────────────► build ─ logits [B,C]
 *                                                        └─ pool ─ s, t ─┘
 * ```
 * W is the width of the principal components, or D.
 */

import { add, logSoftmax, type Tensor } from "@fourtier/tensor"
import { type Dropout, type Param, Scope } from "@fourtier/tensor/nn"
import type { MapSize } from "./map.ts"
import { type Pool, type Pooled, poolMap } from "./pooling.ts"
import { standardize } from "./standardize.ts"

/** What a network sees of a batch of clips. */
export interface NetworkInput {
  /** The standardised map [B,T,N,W]. */
  m: Tensor
  /** Its pooled rows, which processors read. */
  pooled: Pooled
}

export interface Network {
  /** [B,C] */
  logits: Tensor
  trained: Param[]
  frozen: Param[]
  /** What the first layer of the classifier makes of the clip [B,D], where it has layers. */
  first?: Tensor
  /** What language says of the classes [B,C], added to the classifier's log-probabilities outside of training, and its weights. */
  language?: { scores: Tensor; frozen: Param[] }
}

export type BuildNetwork = (input: NetworkInput, size: MapSize, classes: number, dropout: Dropout | null) => Network

export interface NetworkSpec {
  /** Of the raw map. */
  size: MapSize
  classes: number
  /** Principal components that the map is brought to before `build`; null: all of its channels. */
  width: number | null
  /** How the rows that processors read are pooled; as the stored features are. */
  pool: Pool
  build: BuildNetwork
}

/** A network with its standardisation. */
export interface RawMapNetwork {
  /** The classifier's, [B,C]: what training improves. */
  logits: Tensor
  trained: Param[]
  /** Weights that training needs and leaves alone: `standardize.*` and those of the processors. */
  frozen: Param[]
  /** What decides outside of training: the logits, or their log-probabilities with the scores of language. */
  final: Tensor
  finalFrozen: Param[]
  first?: Tensor
}

/**
 * Builds a network on the encoder's own map.
 * @param raw the encoder's map [B,T,N,D]
 * @param mix mixup, in training
 *
 * @example
 * ```ts
 * import { methodNamed, onRawMap } from "@fourtier/core/model"
 * import { modelSchema } from "@fourtier/core/schemas"
 * import { input } from "@fourtier/tensor"
 *
 * const build = methodNamed("baseline").build({ prompts: [], model: modelSchema.parse({}), space: null })
 * const spec = { size: { T: 8, H: 6, W: 6, D: 64 }, classes: 12, width: null, pool: "mean" as const, build }
 * onRawMap(input("m", [1, 8, 36, 64]), spec, null).final.shape // [1, 12]
 * ```
 */
export function onRawMap(
  raw: Tensor,
  spec: NetworkSpec,
  dropout: Dropout | null,
  mix: (x: Tensor) => Tensor = (x) => x,
): RawMapNetwork {
  const scope = new Scope("standardize")
  const size = { ...spec.size, D: spec.width ?? spec.size.D }
  const network = spec.build(poolStandardized(scope, raw, spec, mix), size, spec.classes, dropout)
  const { language, logits } = network
  return {
    logits,
    trained: network.trained,
    frozen: [...scope.params, ...network.frozen],
    final: language ? add(logSoftmax(logits), language.scores) : logits,
    finalFrozen: [...scope.params, ...network.frozen, ...(language?.frozen ?? [])],
    first: network.first,
  }
}

/**
 * The encoder's own map as networks see it: standardised, with its pooled rows.
 * @param scope of the standardisation's weights
 * @param raw [B,T,N,D]
 * @param mix mixup, in training
 *
 * @example
 * ```ts
 * import { poolStandardized } from "@fourtier/core/model"
 * import { input } from "@fourtier/tensor"
 * import { Scope } from "@fourtier/tensor/nn"
 *
 * const raw = input("m", [1, 8, 36, 64])
 * const { m, pooled } = poolStandardized(new Scope("standardize"), raw, { width: 16, pool: "mean" })
 * m.shape // [1, 8, 36, 16]; pooled.s is [1, 8, 16], pooled.t [1, 36, 16]
 * ```
 */
export function poolStandardized(
  scope: Scope,
  raw: Tensor,
  { width, pool: kind }: Pick<NetworkSpec, "width" | "pool">,
  mix: (x: Tensor) => Tensor = (x) => x,
): NetworkInput {
  const bring = (x: Tensor) => mix(standardize(scope, x, width))
  const m = bring(raw)
  return { m, pooled: pool(raw, m, kind, bring) }
}

/** The mean may be taken after the affine standardisation; the largest value of raw channels may not. */
function pool(raw: Tensor, m: Tensor, kind: Pool, bring: (x: Tensor) => Tensor): Pooled {
  if (kind === "mean") return poolMap(m, kind)
  const { s, t } = poolMap(raw, kind)
  return { s: bring(s), t: bring(t) }
}
