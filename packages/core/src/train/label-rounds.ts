/** Sums over all clips that a round of pseudo-labels needs (`pseudo-labels.ts`), on the engine, one block of clips at a time. */

import {
  add,
  argmax,
  div,
  fill,
  input,
  less,
  matmul,
  max,
  maximum,
  mul,
  reshape,
  Session,
  type SessionOptions,
  softmax,
  sqrt,
  stack,
  sum,
  type Tensor,
  type Values,
  where,
} from "@fourtier/tensor"
import type { ClipTexts } from "./clip-texts.ts"

/** Clips of a block, at most. */
const BLOCK = 2048
/** Least length of an embedding: zero stays zero. */
const TINY = 1e-30
/** Below every score. */
const LEAST = -1e30

/** What a round scores clips by. */
export interface Centres {
  /** Of each prompt: unit vectors [C,Dt]. */
  centres: readonly Float32Array[]
  /** Linear classifier [C,Dt] of each prompt's unit embeddings: their sum is a clip's score. */
  linear: readonly Float32Array[]
}

/** What a round finds. */
export interface Round {
  /** Class of each clip. */
  chosen: Int32Array
  /** Of the clips without a label: the largest score and the next. */
  first: Float32Array
  second: Float32Array
  /** Of each prompt: for how many clips the nearest centre is that of the class chosen. */
  agreed: number[]
  /** Of each prompt: Σ sureness · P(c) · e [C,Dt] over the clips without a label. */
  sums: Float64Array[]
}

/** Runs rounds over the same clips, with whatever labels; release it afterwards. */
export class LabelRounds {
  readonly #texts: ClipTexts
  readonly #classes: number
  readonly #block: number
  readonly #session: Session
  /** What the session is fed and what it writes: of one block. */
  readonly #rows: readonly Float32Array[]
  readonly #found: ReturnType<typeof buffersFor>
  /** Class probabilities of the clips without a label, one array [..,C] for each block, as the last round left them. */
  #probabilities: Float32Array[] = []

  private constructor(texts: ClipTexts, classes: number, block: number, session: Session) {
    this.#texts = texts
    this.#classes = classes
    this.#block = block
    this.#session = session
    this.#rows = texts.prompts.map(() => new Float32Array(block * texts.width))
    this.#found = buffersFor(texts, classes, block)
    const { nearest, ...others } = this.#found
    for (const [name, data] of Object.entries(others)) session.bind(name, data)
    for (const [p, data] of nearest.entries()) session.bind(`nearest ${p}`, data)
  }

  /** @param temperature of the softmax over scores */
  static async open(
    texts: ClipTexts,
    classes: number,
    temperature: number,
    runtime: SessionOptions,
  ): Promise<LabelRounds> {
    const block = Math.min(BLOCK, Math.max(1, texts.clips.length))
    const session = await Session.compile({ outputs: graphOf(texts, classes, block, temperature) }, runtime)
    return new LabelRounds(texts, classes, block, session)
  }

  /** @param all class of each clip, −1 without a label */
  async run(all: Int32Array, { centres, linear }: Centres): Promise<Round> {
    const { prompts, width } = this.#texts
    const open = all.reduce((sum, label) => sum + Number(label < 0), 0)
    const round: Round = {
      chosen: new Int32Array(all.length),
      first: new Float32Array(open),
      second: new Float32Array(open),
      agreed: prompts.map(() => 0),
      sums: prompts.map(() => new Float64Array(this.#classes * width)),
    }
    const feeds: Values = {}
    for (const p of prompts.keys()) {
      feeds[`text ${p}`] = this.#rows[p]
      feeds[`centres ${p}`] = centres[p]
      feeds[`linear ${p}`] = linear[p]
    }
    this.#probabilities = []
    let before = 0
    for (let from = 0; from < all.length; from += this.#block) {
      const known = all.subarray(from, from + this.#block)
      for (const [p, rows] of this.#rows.entries()) {
        await this.#texts.read(p, from, known.length, rows)
        rows.fill(0, known.length * width)
      }
      const mask = Float32Array.from({ length: this.#block }, (_, i) => Number(known[i] < 0))
      await this.#session.run({ ...feeds, open: mask })
      before += this.#take(round, known, from, before)
    }
    return round
  }

  /** Class probabilities [C] of the clips without a label, in their order, as the last round left them. */
  *probabilities(): Generator<Float32Array> {
    for (const rows of this.#probabilities) {
      for (let at = 0; at < rows.length; at += this.#classes) yield rows.subarray(at, at + this.#classes)
    }
  }

  async release(): Promise<void> {
    await this.#session.release()
  }

  /**
   * Adds what was found of a block.
   * @param known classes of its clips
   * @param before clips without a label in the blocks before
   * @returns such clips in this one
   */
  #take(round: Round, known: Int32Array, from: number, before: number): number {
    const C = this.#classes
    const { chosen, nearest, first, second, probabilities, sums } = this.#found
    const open = [...known.keys()].filter((i) => known[i] < 0)
    for (const [i, label] of known.entries()) round.chosen[from + i] = label < 0 ? Number(chosen[i]) : label
    for (const [p, total] of round.sums.entries()) {
      const part = sums.subarray(p * total.length, (p + 1) * total.length)
      for (let i = 0; i < total.length; i++) total[i] += part[i]
      for (let i = 0; i < known.length; i++) if (Number(nearest[p][i]) === round.chosen[from + i]) round.agreed[p]++
    }
    const rows = new Float32Array(open.length * C)
    this.#probabilities.push(rows)
    for (const [at, i] of open.entries()) {
      round.first[before + at] = first[i]
      round.second[before + at] = second[i]
      rows.set(probabilities.subarray(i * C, (i + 1) * C), at * C)
    }
    return open.length
  }
}

/** Where a block's outputs go. */
function buffersFor({ prompts, width }: ClipTexts, classes: number, block: number) {
  return {
    chosen: new BigInt64Array(block),
    nearest: prompts.map(() => new BigInt64Array(block)),
    first: new Float32Array(block),
    second: new Float32Array(block),
    probabilities: new Float32Array(block * classes),
    sums: new Float32Array(prompts.length * classes * width),
  }
}

function graphOf({ prompts, width }: ClipTexts, classes: number, block: number, temperature: number) {
  const outputs: Record<string, Tensor> = {}
  const units = [...prompts.keys()].map((p) => {
    const rows = input(`text ${p}`, [block, width])
    return div(rows, maximum(sqrt(sum(mul(rows, rows), -1, true)), TINY))
  })
  const scores = units
    .map((unit, p) => matmul(unit, input(`linear ${p}`, [classes, width]), { transposeB: true }))
    .reduce((total, own) => add(total, own)) // [B,C]
  for (const [p, unit] of units.entries()) {
    const cosines = matmul(unit, input(`centres ${p}`, [classes, width]), { transposeB: true })
    outputs[`nearest ${p}`] = argmax(cosines, -1)
  }
  const first = max(scores, -1, true)
  const probabilities = softmax(mul(scores, 1 / temperature))
  const sureness = max(probabilities, -1, true)
  const shares = mul(mul(probabilities, mul(sureness, sureness)), reshape(input("open", [block]), [block, 1]))
  outputs.first = reshape(first, [block])
  outputs.second = max(where(less(scores, first), scores, fill([block, classes], LEAST)), -1)
  outputs.chosen = argmax(scores, -1)
  outputs.probabilities = probabilities
  outputs.sums = stack(
    units.map((unit) => matmul(shares, unit, { transposeA: true })),
    0,
  ) // [P,C,Dt]
  return outputs
}
