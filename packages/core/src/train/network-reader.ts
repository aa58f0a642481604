/**
 * A trained network looked at from outside: what it says of clips, with all of its prompts or without some, and what its first
 * layer makes of them.
 */

import { cast, input, Session, type SessionOptions, softmax, type Tensor } from "@fourtier/tensor"
import { type Param, selectWeights, type Weights } from "@fourtier/tensor/nn"
import { placesOf } from "../model/map.ts"
import { type NetworkSpec, onRawMap } from "../model/network.ts"
import { type Example, type FeatureSet, readBatch } from "./features.ts"

/** Views read at a time. */
const CHUNK = 16

/** What a network makes of clips, in their order. */
export interface Reading {
  /** Class probabilities [C] of each clip, the mean over its views. */
  probabilities: Float32Array[]
  /** What the classifier's first layer makes of each clip [D], the mean over its views; empty where the network has no layers. */
  first: Float32Array[]
}

/**
 * One network, compiled once for any weights.
 *
 * @example
 * ```ts
 * import type { NetworkSpec } from "@fourtier/core/model"
 * import { type FeatureSet, NetworkReader } from "@fourtier/core/train"
 * import type { Weights } from "@fourtier/tensor/nn"
 *
 * async function firstLayer(spec: NetworkSpec, clips: FeatureSet, weights: Weights) {
 *   const reader = await NetworkReader.compile(spec)
 *   const { first } = await reader.read(clips, weights)
 *   await reader.release()
 *   return first // [D] of each clip
 * }
 * ```
 */
export class NetworkReader {
  readonly #session: Session
  readonly #params: readonly Param[]
  readonly #classes: number
  /** D; null where the network has no layers. */
  readonly #width: number | null

  private constructor(session: Session, params: readonly Param[], classes: number, width: number | null) {
    this.#session = session
    this.#params = params
    this.#classes = classes
    this.#width = width
  }

  static async compile(spec: NetworkSpec, runtime: SessionOptions = {}): Promise<NetworkReader> {
    const { size, classes } = spec
    const m = input("m", [CHUNK, size.T, placesOf(size), size.D], "f16")
    const network = onRawMap(cast(m, "f32"), spec, null)
    const outputs: Record<string, Tensor> = { probabilities: softmax(network.final) }
    if (network.first) outputs.first = network.first
    const session = await Session.compile({ outputs }, runtime)
    return new NetworkReader(
      session,
      [...network.trained, ...network.finalFrozen],
      classes,
      network.first?.shape[1] ?? null,
    )
  }

  /** @param weights every weight of the network, frozen ones included */
  async read({ source, examples }: FeatureSet<Example>, weights: Weights): Promise<Reading> {
    const feeds = Object.fromEntries(selectWeights("network", this.#params, weights))
    const probabilities = examples.map(() => new Float32Array(this.#classes))
    const width = this.#width
    const first = width === null ? [] : examples.map(() => new Float32Array(width))
    const jobs = examples.flatMap(({ hash, views }, clip) =>
      views.map((view) => ({ clip, share: 1 / views.length, key: { clip: hash, view } })),
    )
    for (let i = 0; i < jobs.length; i += CHUNK) {
      const part = jobs.slice(i, i + CHUNK)
      // the last chunk is filled up with its own last record
      const keys = Array.from({ length: CHUNK }, (_, row) => part[Math.min(row, part.length - 1)].key)
      const found = await this.#session.run({ ...feeds, m: await readBatch(source, keys, "m") })
      for (const [row, { clip, share }] of part.entries()) {
        addRow(probabilities[clip], found.probabilities, row, share)
        if (width !== null) addRow(first[clip], found.first, row, share)
      }
    }
    return { probabilities, first }
  }

  async release(): Promise<void> {
    await this.#session.release()
  }
}

function addRow(sum: Float32Array, rows: ArrayLike<number | bigint>, row: number, share: number): void {
  for (let d = 0; d < sum.length; d++) sum[d] += share * Number(rows[row * sum.length + d])
}

/**
 * The weights of the full method's network as if a prompt's processor were not there: it adds nothing to the map, the language
 * classifier counts it as it would an average clip's, and to its prototypes all classes are alike.
 * @param mean mean predicted unit text embedding [Dt] of the training clips, which the language classifier subtracts
 *
 * @example
 * ```ts
 * import { withoutPrompt } from "@fourtier/core/train"
 *
 * const weights = new Map([["integration.A.projection.weight", Float32Array.of(1, 2)]])
 * withoutPrompt(weights, "A").get("integration.A.projection.weight") // [0, 0]
 * ```
 */
export function withoutPrompt(weights: Weights, prompt: string, mean?: Float32Array): Weights {
  const left: Weights = new Map(weights)
  for (const name of [`integration.${prompt}.projection.weight`, `language.${prompt}.weight`, `prototype.${prompt}`]) {
    const values = weights.get(name)
    if (values) left.set(name, new Float32Array(values.length))
  }
  const matrix = weights.get(`language.${prompt}.weight`)
  const bias = weights.get("language.bias")
  if (matrix && bias && mean) {
    const classes = bias.length
    // what the bias holds of this prompt is −mean·A
    left.set(
      "language.bias",
      bias.map((value, c) => mean.reduce((sum, x, d) => sum + x * matrix[d * classes + c], value)),
    )
  }
  return left
}
