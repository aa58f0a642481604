/**
 * Symbolic gradients against finite differences. The derivative of Σ weight·output is taken at five points,
 * (8(f(x+h) − f(x−h)) − (f(x+2h) − f(x−2h)))/12h, whose own error is h⁴f⁽⁵⁾/30. Sums are made in double precision, so what
 * remains is the rounding of each output to f32, about 6e-8·|y|/h. With h = 0.03 both stay near 1e-5 of the values here.
 */

import {
  add,
  constant,
  type Data,
  type DType,
  grad,
  input,
  mul,
  Rng,
  Session,
  type Shape,
  sizeOf,
  sum,
  type Tensor,
} from "@fourtier/tensor"

const STEP = 0.03

/** A value fed to a case. f32 values are differentiated. */
export interface Fed {
  shape: Shape
  data: Data
  dtype: DType
}

export type Build = (...inputs: Tensor[]) => Tensor

/** Smooth random values in (-1.5, 1.5). */
export function smooth(...shape: number[]): Fed {
  return random(shape, -1.5, 1.5)
}

/** Values in (0.6, 2): for logarithms, roots, divisors. */
export function positive(...shape: number[]): Fed {
  return random(shape, 0.6, 2)
}

function random(shape: Shape, low: number, high: number): Fed {
  const rng = Rng.fork("gradcheck", shape.join(), low)
  return f32(
    shape,
    Array.from({ length: sizeOf(shape) }, () => rng.uniform(low, high)),
  )
}

/** Values 0.4 from each other and 0.07 or more from every integer: for ops with kinks and steps. */
export function apart(...shape: number[]): Fed {
  const size = sizeOf(shape)
  const values = Array.from({ length: size }, (_, i) => (i - Math.floor(size / 2)) * 0.4 + 0.13)
  return f32(shape, Rng.fork("apart", shape.join()).shuffle(values))
}

export function f32(shape: Shape, values: readonly number[]): Fed {
  return { shape, data: Float32Array.from(values), dtype: "f32" }
}

export function i64(shape: Shape, values: readonly number[]): Fed {
  return { shape, data: BigInt64Array.from(values, BigInt), dtype: "i64" }
}

export function bool(shape: Shape, values: readonly number[]): Fed {
  return { shape, data: Uint8Array.from(values), dtype: "bool" }
}

/**
 * The largest error over all inputs, relative to the largest derivative of that input (0.1 at least).
 *
 * @param order 1 checks the gradients of `build`, 2 the gradients of those gradients
 */
export async function gradientError(build: Build, feds: readonly Fed[], order: 1 | 2 = 1): Promise<number> {
  const inputs = feds.map(({ shape, dtype }, i) => input(`x${i}`, shape, dtype))
  const trained = inputs.filter(({ dtype }) => dtype === "f32")
  const outputs = order === 1 ? [build(...inputs)] : grad(weighted([build(...inputs)]), trained)
  const value = await Session.compile({ outputs: numbered(outputs) }, { threads: 1 })
  const slope = await Session.compile({ outputs: numbered(grad(weighted(outputs), trained)) }, { threads: 1 })
  try {
    const feeds = Object.fromEntries(feds.map(({ data }, i) => [`x${i}`, data]))
    const analytic = await slope.run(feeds)
    const weightedSum = async (changed: Record<string, Data>) => {
      const values = await value.run({ ...feeds, ...changed })
      let total = 0
      for (const [i, { shape }] of outputs.entries()) {
        for (const [k, weight] of weightsOf(shape, i).entries()) total += weight * Number(values[`y${i}`][k])
      }
      return total
    }
    let worst = 0
    for (const [i, { attrs }] of trained.entries()) {
      const exact = Array.from(analytic[`y${i}`], Number)
      const scale = Math.max(0.1, ...exact.map(Math.abs))
      for (const [element, derivative] of exact.entries()) {
        const at = (steps: number) => {
          const moved = Float32Array.from(feeds[attrs.name], Number)
          moved[element] += steps * STEP
          return weightedSum({ [attrs.name]: moved })
        }
        const numeric = (8 * ((await at(1)) - (await at(-1))) - ((await at(2)) - (await at(-2)))) / (12 * STEP)
        const error = Math.abs(numeric - derivative) / scale
        worst = Number.isNaN(error) ? Number.POSITIVE_INFINITY : Math.max(worst, error)
      }
    }
    return worst
  } finally {
    await value.release()
    await slope.release()
  }
}

const numbered = (tensors: readonly Tensor[]) => Object.fromEntries(tensors.map((tensor, i) => [`y${i}`, tensor]))

/** Fixed weights for the elements of output `i`, from 0.5 to 1.5 in size, of both signs. */
function weightsOf(shape: Shape, i: number): number[] {
  const rng = Rng.fork("weights", i)
  return Array.from({ length: sizeOf(shape) }, () => rng.uniform(0.5, 1.5) * (rng.next() < 0.5 ? -1 : 1)).map(
    Math.fround,
  )
}

function weighted(outputs: readonly Tensor[]): Tensor {
  return outputs
    .map((output, i) => sum(mul(output, constant(Float32Array.from(weightsOf(output.shape, i)), output.shape))))
    .reduce((a, b) => add(a, b))
}
