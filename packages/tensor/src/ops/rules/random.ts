/**
 * Random numbers that depend on a seed input, a salt and the position alone: a step can be repeated exactly, on any
 * machine, and needs no state in the runtime. Products of 31-bit numbers are kept exact in 64-bit integers.
 */

import { sizeOf } from "../../shape.ts"
import type { RandomOps } from "../attributes.ts"
import type { Emitter, OnnxName, OpRules } from "../rule.ts"

/** Modulus 2^31 − 1 and multipliers of minimal standard generators (L'Ecuyer 1988, table of good multipliers). */
const MODULUS = 2147483647
const MULTIPLIERS = [48271, 1583458089, 784588716]

export const random: OpRules<RandomOps> = {
  randomUniform: {
    grad: (_, { inputs }) => inputs.map(() => null),
    onnx: (emit, [seed, from], y) => {
      const { shape, salt } = y.attrs
      const positions = emit.node("Range", [emit.ints([0], []), emit.ints([sizeOf(shape)], []), emit.ints([1], [])])
      const start = emit.node("Add", [
        emit.node("Mul", [modulo(emit, seed), emit.ints([69621], [])]),
        emit.ints([salt], []),
      ])
      const own = from ? emit.node("Add", [positions, from]) : positions
      let bits = modulo(emit, emit.node("Add", [own, scrambled(emit, modulo(emit, start), MULTIPLIERS[0])]))
      for (const multiplier of MULTIPLIERS) bits = scrambled(emit, bits, multiplier)
      const fraction = emit.node("Mul", [emit.node("Cast", [bits], { to: 11 }), emit.doubles([1 / MODULUS], [])])
      // a double just below 1 may round up to 1 as a float
      const below = emit.node("Min", [emit.node("Cast", [fraction], { to: 1 }), emit.floats([1 - 2 ** -24], [])])
      return emit.node("Reshape", [below, emit.ints(shape)], { allowzero: 1 })
    },
  },
}

function modulo(emit: Emitter, x: OnnxName): OnnxName {
  return emit.node("Mod", [x, emit.ints([MODULUS], [])])
}

/** multiplier·(x XOR its own high bits) mod 2^31 − 1 */
function scrambled(emit: Emitter, x: OnnxName, multiplier: number): OnnxName {
  const high = emit.node("Div", [x, emit.ints([32768], [])])
  const mixed = emit.node("BitwiseXor", [x, high])
  return modulo(emit, emit.node("Mul", [emit.node("Add", [mixed, emit.ints([1], [])]), emit.ints([multiplier], [])]))
}
