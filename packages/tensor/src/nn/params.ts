/**
 * Parameters by name. A model function asks its scope for each weight it uses; the scope hands out an input of the graph
 * and keeps the list of what was asked for: name, shape, first values, whether weight decay applies.
 */

import { FourtierError } from "../errors.ts"
import type { Rng } from "../random.ts"
import { type Shape, sameShape, showShape, sizeOf } from "../shape.ts"
import { input, type Tensor } from "../tensor.ts"

/** Fills a fresh weight. */
export type Init = (values: Float32Array, shape: Shape, rng: Rng) => void

export interface Param {
  readonly name: string
  readonly shape: Shape
  readonly init: Init
  /** Whether AdamW's weight decay applies: not to norms and biases. */
  readonly decay: boolean
  readonly tensor: Tensor
}

/** Values by parameter name. */
export type Weights = Map<string, Float32Array>

export class Scope {
  readonly #prefix: string
  readonly #params: Map<string, Param>

  constructor(prefix = "", params: Map<string, Param> = new Map()) {
    this.#prefix = prefix
    this.#params = params
  }

  /** A scope whose parameters are named `<this>.<name>.…`; it shares this scope's list. */
  in(name: string): Scope {
    return new Scope(this.#path(name), this.#params)
  }

  /** The parameter of that name; asking twice gives the same one. */
  param(name: string, shape: Shape, init: Init, { decay }: { decay: boolean }): Tensor {
    const path = this.#path(name)
    const known = this.#params.get(path)
    if (known && !sameShape(known.shape, shape)) {
      throw new Error(`internal error: ${path} is ${showShape(known.shape)} and ${showShape(shape)}`)
    }
    const made = known ?? { name: path, shape, init, decay, tensor: input(path, shape) }
    this.#params.set(path, made)
    return made.tensor
  }

  /** Every parameter asked for so far, in order. */
  get params(): Param[] {
    return [...this.#params.values()]
  }

  #path(name: string): string {
    return this.#prefix === "" ? name : `${this.#prefix}.${name}`
  }
}

/** Fresh values for `params`: each weight's depend on the seed and its name alone, not on the others. */
export function initialize(params: readonly Param[], rng: (name: string) => Rng): Weights {
  const weights: Weights = new Map()
  for (const { name, shape, init } of params) {
    const values = new Float32Array(sizeOf(shape))
    init(values, shape, rng(name))
    weights.set(name, values)
  }
  return weights
}

/** The values of `params` from `weights`; throws when one is absent or has another size. */
export function selectWeights(where: string, params: readonly Param[], weights: Weights): Weights {
  const missing = params.filter(({ name }) => !weights.has(name)).map(({ name }) => name)
  const wrong = params.filter(({ name, shape }) => (weights.get(name)?.length ?? sizeOf(shape)) !== sizeOf(shape))
  if (missing.length > 0 || wrong.length > 0) {
    throw new FourtierError({
      where,
      what: "weights do not fit the model",
      expected: params.map(({ name, shape }) => `${name} ${showShape(shape)}`).join(", "),
      found: [
        ...missing.map((name) => `${name} is missing`),
        ...wrong.map(({ name }) => `${name} has ${weights.get(name)?.length} elements`),
      ].join(", "),
      fix: "train again with this configuration, or use the configuration that the weights were trained with",
    })
  }
  return new Map(params.map(({ name }) => [name, weights.get(name) ?? new Float32Array()]))
}

export const zeros: Init = (values) => void values.fill(0)
export const ones: Init = (values) => void values.fill(1)

export function constantInit(value: number): Init {
  return (values) => void values.fill(value)
}

/** Normal with a standard deviation, cut off at two of them. */
export function truncatedNormal(std: number): Init {
  return (values, _, rng) => {
    for (let i = 0; i < values.length; i++) {
      let x = rng.normal()
      while (Math.abs(x) > 2) x = rng.normal()
      values[i] = x * std
    }
  }
}

/** Uniform within ±sqrt(6/(in+out)) of a matrix [in,out] (Glorot & Bengio 2010). */
export const glorot: Init = (values, shape, rng) => {
  const bound = Math.sqrt(6 / (shape[shape.length - 2] + shape[shape.length - 1]))
  for (let i = 0; i < values.length; i++) values[i] = rng.uniform(-bound, bound)
}

/** A square matrix [D,D] that changes nothing at first. */
export const identity: Init = (values, [rows, columns]) => {
  for (let i = 0; i < Math.min(rows, columns); i++) values[i * columns + i] = 1
}
