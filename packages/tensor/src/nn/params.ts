/**
 * Parameters by name. A model function asks its scope for each weight it uses; the scope returns an input of the graph
 * and keeps the list of what was asked for: name, shape, initial values, whether weight decay applies.
 */

import { FourtierError } from "../errors.ts"
import type { Rng } from "../random.ts"
import { type Shape, sameShape, showShape, sizeOf } from "../shape.ts"
import { input, type Tensor } from "../tensor.ts"

/** Fills a new weight with its initial values. */
export type Init = (values: Float32Array, shape: Shape, rng: Rng) => void

export interface Param {
  readonly name: string
  readonly shape: Shape
  readonly init: Init
  /** Whether AdamW's weight decay applies: true for matrices, false for norms and biases. */
  readonly decay: boolean
  readonly tensor: Tensor
}

/** Values by parameter name. */
export type Weights = Map<string, Float32Array>

/**
 * Where a model function gets its weights from, by name.
 *
 * @example
 * ```ts
 * import { input, matmul } from "@fourtier/tensor"
 * import { Scope, zeros } from "@fourtier/tensor/nn"
 *
 * const scope = new Scope("head")
 * const weight = scope.in("linear").param("weight", [64, 10], zeros, { decay: true })
 * const logits = matmul(input("x", [8, 64]), weight)
 * scope.params.map(({ name }) => name) // ["head.linear.weight"]
 * ```
 */
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

/**
 * Initial values of `params`.
 *
 * @param rng the generator of a parameter's values, by its name: then they do not depend on the other parameters
 *
 * @example
 * ```ts
 * import { input, Rng } from "@fourtier/tensor"
 * import { initialize, linear, Scope } from "@fourtier/tensor/nn"
 *
 * const scope = new Scope("classifier")
 * linear(scope, input("x", [8, 64]), 10)
 * const weights = initialize(scope.params, (name) => Rng.fork(0, name))
 * weights.get("classifier.weight")?.length // 640
 * ```
 */
export function initialize(params: readonly Param[], rng: (name: string) => Rng): Weights {
  const weights: Weights = new Map()
  for (const { name, shape, init } of params) {
    const values = new Float32Array(sizeOf(shape))
    init(values, shape, rng(name))
    weights.set(name, values)
  }
  return weights
}

/**
 * The values of `params` from `weights`. Throws a FourtierError about `where` when one is absent or has another size.
 *
 * @example
 * ```ts
 * import { input } from "@fourtier/tensor"
 * import { linear, Scope, selectWeights } from "@fourtier/tensor/nn"
 *
 * const scope = new Scope("classifier")
 * linear(scope, input("x", [8, 2]), 1, { bias: false })
 * const stored = new Map([["classifier.weight", Float32Array.of(1, 2)], ["other", Float32Array.of(0)]])
 * selectWeights("checkpoint", scope.params, stored) // only classifier.weight
 * ```
 */
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

/**
 * Zeros: biases.
 *
 * @example
 * ```ts
 * import { Scope, zeros } from "@fourtier/tensor/nn"
 *
 * const scope = new Scope("norm")
 * scope.param("bias", [64], zeros, { decay: false })
 * ```
 */
export const zeros: Init = (values) => void values.fill(0)
/**
 * Ones: scales of norms.
 *
 * @example
 * ```ts
 * import { ones, Scope } from "@fourtier/tensor/nn"
 *
 * const scope = new Scope("norm")
 * scope.param("scale", [64], ones, { decay: false })
 * ```
 */
export const ones: Init = (values) => void values.fill(1)

/**
 * One value for all elements.
 *
 * @example
 * ```ts
 * import { constantInit, Scope } from "@fourtier/tensor/nn"
 *
 * const logitScale = new Scope("loss").param("scale", [], constantInit(Math.log(1 / 0.07)), { decay: false })
 * ```
 */
export function constantInit(value: number): Init {
  return (values) => void values.fill(value)
}

/**
 * Normal with mean 0 and standard deviation `std`, truncated at two standard deviations.
 *
 * @example
 * ```ts
 * import { Scope, truncatedNormal } from "@fourtier/tensor/nn"
 *
 * const weight = new Scope("linear").param("weight", [64, 10], truncatedNormal(0.02), { decay: true })
 * ```
 */
export function truncatedNormal(std: number): Init {
  return (values, _, rng) => {
    for (let i = 0; i < values.length; i++) {
      let x = rng.normal()
      while (Math.abs(x) > 2) x = rng.normal()
      values[i] = x * std
    }
  }
}

/**
 * Uniform within ±sqrt(6/(in+out)) for a matrix [in,out] (Glorot & Bengio 2010).
 *
 * @example
 * ```ts
 * import { glorot, Scope } from "@fourtier/tensor/nn"
 *
 * const weight = new Scope("linear").param("weight", [64, 10], glorot, { decay: true })
 * ```
 */
export const glorot: Init = (values, shape, rng) => {
  const bound = Math.sqrt(6 / (shape[shape.length - 2] + shape[shape.length - 1]))
  for (let i = 0; i < values.length; i++) values[i] = rng.uniform(-bound, bound)
}

/**
 * The identity matrix [D,D].
 *
 * @example
 * ```ts
 * import { identity, Scope } from "@fourtier/tensor/nn"
 *
 * const weight = new Scope("projection").param("weight", [64, 64], identity, { decay: true })
 * ```
 */
export const identity: Init = (values, [rows, columns]) => {
  for (let i = 0; i < Math.min(rows, columns); i++) values[i * columns + i] = 1
}
