/**
 * AdamW (Loshchilov & Hutter 2019): Adam with decoupled weight decay, on one flat buffer of all trained parameters.
 *
 * ```
 * gradient session ──writes──► gradient(name) ──accumulate(weight)──► weighted sum of micro-batches
 *                                   │                                         │
 *                                   └──────────────── step() ◄────────────────┘
 *                    global norm ─► clip ─► update graph, chunk by chunk, in place on parameter(name)
 * ```
 */

import { FourtierError } from "../errors.ts"
import { add, div, mul, sqrt, sub, sum } from "../ops/functions.ts"
import type { ProviderChoice } from "../runtime/provider.ts"
import { Session } from "../runtime/session.ts"
import { sizeOf } from "../shape.ts"
import { input, type Tensor } from "../tensor.ts"
import { type FlatLayout, layout, type Parameter } from "./layout.ts"

export interface AdamWOptions {
  /** Decay of the first moment; default 0.9. */
  beta1?: number
  /** Decay of the second moment; default 0.999. */
  beta2?: number
  /** Default 1e-8. */
  epsilon?: number
  /** Default 0.01; only for parameters with `decay: true`. */
  weightDecay?: number
  provider?: ProviderChoice
  threads?: number
}

/** The optimiser's state by parameter name; elements in the order of the parameter's. */
export interface AdamWState {
  /** Updates done. */
  step: number
  firstMoments: ReadonlyMap<string, Float32Array>
  secondMoments: ReadonlyMap<string, Float32Array>
}

export interface StepOptions {
  learningRate: number
  /** Gradients with a larger global norm are scaled down to it; default: none are. */
  clipNorm?: number
  /** What the pending gradient is divided by; default: the weights accumulated, which makes it their weighted mean. */
  weight?: number
}

type Scalar = "keepM" | "addM" | "keepV" | "addV" | "epsilon" | "rate" | "keepP"

/**
 * One update of parameters p, gradient g and moments m, v, all of one shape:
 * `m ← β₁m + (1−β₁)cg`, `v ← β₂v + (1−β₂)(cg)²`, `p ← (1 − lr·wd)p − lr·m̂/(√v̂ + ε)`, c the clip factor and the hats
 * the bias corrections. The factors come in as scalars: see `AdamW.step`.
 */
export function adamwUpdate(p: Tensor, g: Tensor, m: Tensor, v: Tensor, by: Record<Scalar, Tensor>) {
  const m2 = add(mul(m, by.keepM), mul(g, by.addM))
  const v2 = add(mul(v, by.keepV), mul(mul(g, g), by.addV))
  const p2 = sub(mul(p, by.keepP), mul(div(m2, add(sqrt(v2), by.epsilon)), by.rate))
  return { p2, m2, v2 }
}

interface Sessions {
  update: Session
  squares: Session
  accumulate: Session
}

/**
 * The optimiser: holds parameters, gradients and moments, and updates them in place.
 *
 * @example
 * ```ts
 * import { grad, input, mul, Session, sum } from "@fourtier/tensor"
 * import { AdamW } from "@fourtier/tensor/optim"
 *
 * const w = input("w", [3])
 * const loss = sum(mul(w, w))
 * const session = await Session.compile({ outputs: { loss, dw: grad(loss, [w])[0] } })
 * const optimizer = await AdamW.create([{ name: "w", shape: [3], decay: true }])
 * optimizer.parameter("w").set([1, 2, 3])
 * session.bind("dw", optimizer.gradientBuffer("w"))
 * for (let step = 0; step < 100; step++) {
 *   await session.run({ w: optimizer.parameter("w") })
 *   await optimizer.step({ learningRate: 0.1, clipNorm: 1 })
 * }
 * await session.release()
 * await optimizer.release()
 * ```
 */
export class AdamW {
  readonly parameters: readonly Parameter[]
  readonly #layout: FlatLayout
  readonly #options: { beta1: number; beta2: number; epsilon: number; weightDecay: number }
  readonly #sessions: Sessions
  readonly #p: Float32Array
  readonly #g: Float32Array
  readonly #m: Float32Array
  readonly #v: Float32Array
  /** Weighted sum of micro-batch gradients, and the sum of the weights. */
  #sum: Float32Array | undefined
  #weight = 0
  #step = 0

  private constructor(parameters: readonly Parameter[], flat: FlatLayout, options: AdamWOptions, sessions: Sessions) {
    const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay = 0.01 } = options
    this.parameters = parameters
    this.#layout = flat
    this.#options = { beta1, beta2, epsilon, weightDecay }
    this.#sessions = sessions
    this.#p = new Float32Array(flat.size)
    this.#g = new Float32Array(flat.size)
    this.#m = new Float32Array(flat.size)
    this.#v = new Float32Array(flat.size)
  }

  /** An optimiser whose parameters are zero: set them with `parameter(name).set(values)`. */
  static async create(parameters: readonly Parameter[], options: AdamWOptions = {}): Promise<AdamW> {
    const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay = 0.01 } = options
    if (!(beta1 >= 0 && beta1 < 1 && beta2 >= 0 && beta2 < 1 && epsilon > 0 && weightDecay >= 0)) {
      throw new FourtierError({
        where: "AdamW",
        what: "a setting is out of range",
        expected: "0 <= beta1, beta2 < 1, epsilon > 0 and weightDecay >= 0",
        found: `beta1 ${beta1}, beta2 ${beta2}, epsilon ${epsilon}, weightDecay ${weightDecay}`,
      })
    }
    const flat = layout(parameters)
    const [p, g, m, v] = ["p", "g", "m", "v"].map((name) => input(name, [flat.chunk]))
    const scalar = (name: string) => input(name, [])
    const { p2, m2, v2 } = adamwUpdate(p, g, m, v, {
      keepM: scalar("keepM"),
      addM: scalar("addM"),
      keepV: scalar("keepV"),
      addV: scalar("addV"),
      epsilon: scalar("epsilon"),
      rate: scalar("rate"),
      keepP: scalar("keepP"),
    })
    const runtime = { provider: options.provider ?? "cpu", threads: options.threads }
    return new AdamW([...parameters], flat, options, {
      update: await Session.compile({ outputs: { p2, m2, v2 } }, runtime),
      squares: await Session.compile({ outputs: { squares: sum(mul(g, g)) } }, runtime),
      accumulate: await Session.compile({ outputs: { m2: add(m, mul(g, scalar("weight"))) } }, runtime),
    })
  }

  /** Updates done so far. */
  get steps(): number {
    return this.#step
  }

  /** The parameter's values, read and written in place: feed them to the gradient session as they are. */
  parameter(name: string): Float32Array {
    return this.#part(this.#p, name)
  }

  /** Where the gradient session writes the parameter's gradient: `session.bind(output, optimizer.gradientBuffer(name))`. */
  gradientBuffer(name: string): Float32Array {
    return this.#part(this.#g, name)
  }

  /** Adds `weight` times the gradients to a sum; the next step uses the weighted mean. For micro-batches. */
  async accumulate(weight = 1): Promise<void> {
    this.#sum ??= new Float32Array(this.#layout.size)
    const { accumulate } = this.#sessions
    for (const start of this.#chunks()) {
      const total = this.#chunk(this.#sum, start)
      accumulate.bind("m2", total)
      await accumulate.run({ m: total, g: this.#chunk(this.#g, start), weight: Float32Array.of(weight) })
    }
    this.#weight += weight
  }

  /** Sum of the weights accumulated since the last step; 0 where the gradient lies in the buffers alone. */
  get accumulated(): number {
    return this.#weight
  }

  /**
   * What the next step will take: the flat gradient, or the weighted sum of those accumulated since the last step. Processes that
   * train together replace it by its sum over all of them, in place, and step with the `weight` of all.
   */
  get pendingGradient(): Float32Array {
    return this.#weight === 0 || this.#sum === undefined ? this.#g : this.#sum
  }

  /**
   * One update with the gradients in the buffers, or with the mean of those accumulated since the last step.
   *
   * @returns the global norm of the gradient, before clipping. Throws when it is not finite; nothing is changed then.
   */
  async step({
    learningRate,
    clipNorm = Number.POSITIVE_INFINITY,
    weight = this.#weight === 0 ? 1 : this.#weight,
  }: StepOptions): Promise<{ gradientNorm: number }> {
    const mean = 1 / weight
    const gradient = this.pendingGradient
    const gradientNorm = mean * (await this.#norm(gradient))
    if (!Number.isFinite(gradientNorm)) {
      throw new FourtierError({
        where: `training step ${this.#step + 1}`,
        what: "the gradient is not finite",
        found: String(gradientNorm),
        fix: "lower the learning rate, clip gradients, or look for broken features",
      })
    }
    const { beta1, beta2, epsilon, weightDecay } = this.#options
    const scale = mean * Math.min(1, clipNorm / (gradientNorm + 1e-6))
    const correction1 = 1 - beta1 ** (this.#step + 1)
    const correction2 = Math.sqrt(1 - beta2 ** (this.#step + 1))
    // m̂/(√v̂ + ε) = correction2/correction1 · m/(√v + ε·correction2)
    const scalars = {
      keepM: Float32Array.of(beta1),
      addM: Float32Array.of((1 - beta1) * scale),
      keepV: Float32Array.of(beta2),
      addV: Float32Array.of((1 - beta2) * scale * scale),
      epsilon: Float32Array.of(epsilon * correction2),
      rate: Float32Array.of((learningRate * correction2) / correction1),
    }
    const decayed = Float32Array.of(1 - learningRate * weightDecay)
    const kept = Float32Array.of(1)
    const { update } = this.#sessions
    for (const start of this.#chunks()) {
      const [p, g, m, v] = [this.#p, gradient, this.#m, this.#v].map((flat) => this.#chunk(flat, start))
      update.bind("p2", p)
      update.bind("m2", m)
      update.bind("v2", v)
      await update.run({ p, g, m, v, ...scalars, keepP: start < this.#layout.decayEnd ? decayed : kept })
    }
    this.#step++
    this.#sum?.fill(0)
    this.#weight = 0
    return { gradientNorm }
  }

  /** A copy of the optimiser's state. Accumulated gradients are not part of it: store it after a step. */
  state(): AdamWState {
    const copies = (flat: Float32Array) =>
      new Map(this.parameters.map(({ name }) => [name, this.#part(flat, name).slice()] as const))
    return { step: this.#step, firstMoments: copies(this.#m), secondMoments: copies(this.#v) }
  }

  /** Restores a stored state. Throws when its names or sizes are not those of the parameters; nothing is changed then. */
  load(state: AdamWState): void {
    const sizes = new Map(this.parameters.map(({ name, shape }) => [name, sizeOf(shape)]))
    for (const [kind, moments] of [
      ["first moments", state.firstMoments],
      ["second moments", state.secondMoments],
    ] as const) {
      const missing = [...sizes.keys()].filter((name) => !moments.has(name))
      const extra = [...moments.keys()].filter((name) => !sizes.has(name))
      const wrong = [...sizes].filter(([name, size]) => moments.has(name) && moments.get(name)?.length !== size)
      const list = (title: string, names: readonly string[]) => (names.length ? [`${title} ${names.join(", ")}`] : [])
      const faults = [
        ...list("missing", missing),
        ...list("unknown", extra),
        ...list(
          "of another size",
          wrong.map(([name]) => name),
        ),
      ]
      if (faults.length > 0) {
        throw new FourtierError({
          where: `optimiser state, ${kind}`,
          what: "not that of these parameters",
          found: faults.join("; "),
        })
      }
    }
    for (const [name, values] of state.firstMoments) this.#part(this.#m, name).set(values)
    for (const [name, values] of state.secondMoments) this.#part(this.#v, name).set(values)
    this.#step = state.step
  }

  /** Releases the update's sessions; the optimiser cannot be used afterwards. */
  async release(): Promise<void> {
    for (const session of Object.values(this.#sessions)) await session.release()
  }

  async #norm(gradient: Float32Array): Promise<number> {
    let total = 0
    for (const start of this.#chunks()) {
      const { squares } = await this.#sessions.squares.run({ g: this.#chunk(gradient, start) })
      total += Number(squares[0])
    }
    return Math.sqrt(total)
  }

  *#chunks(): Iterable<number> {
    for (let start = 0; start < this.#layout.size; start += this.#layout.chunk) yield start
  }

  #chunk(flat: Float32Array, start: number): Float32Array {
    return flat.subarray(start, start + this.#layout.chunk)
  }

  #part(flat: Float32Array, name: string): Float32Array {
    const offset = this.#layout.offsets.get(name)
    const parameter = this.parameters.find((candidate) => candidate.name === name)
    if (offset === undefined || parameter === undefined) {
      throw new FourtierError({
        where: `parameter ${name}`,
        what: "the optimiser has no such parameter",
        expected: `one of ${[...this.#layout.offsets.keys()].join(", ")}`,
      })
    }
    return flat.subarray(offset, offset + sizeOf(parameter.shape))
  }
}
