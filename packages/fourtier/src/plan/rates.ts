/** How fast machines like this one are: measured here in a second, and brought to whole stages by shares that are written down. */

import { availableParallelism } from "node:os"
import { input, matmul, Rng, Session } from "@fourtier/tensor"

export interface Rates {
  /** Cores of a machine. */
  cores: number
  /** 10^9 floating-point operations a second of a matrix product, on one thread. */
  gflops: number
  /** Where that number is from. */
  from: "measured here" | "given"
  /** Seconds of one view through the encoder on one machine, where `fourtier bench encoder` has measured it. */
  encoderSeconds: number | null
}

/**
 * What stages reach of so many cores' matrix products: measured with one and two threads (`bench/encoder.csv`, `bench/train_step.csv`,
 * `bench/decode.csv`). More cores gain rather less.
 */
export const SHARES = { encoder: 0.79, training: 0.48, scaling: 0.73 }

/** Clips a second that one core decodes 8 frames each of: 10 s of H.264 with 340×256 pixels (`bench/decode.csv`). */
export const DECODED = { clips: 20.45, seconds: 10, pixels: 340 * 256 }

/** Seconds of one core for ridge regression of 100,000 clips (docs/decisions.md). */
export const RIDGE_SECONDS = 138 / 100_000

/** Tokens of a clip through a layer of ViT-B: 8 frames of 14×14 places. */
const [ROWS, WIDTH, OUT] = [1568, 768, 3072]
const LEAST_MS = 700

/** 10^9 floating-point operations a second of a large matrix product on one thread of this machine. */
export async function measureProduct(): Promise<number> {
  const rng = new Rng("plan")
  const values = (length: number) => Float32Array.from({ length }, () => rng.uniform(-1, 1))
  const y = matmul(input("a", [ROWS, WIDTH]), input("b", [WIDTH, OUT]))
  const session = await Session.compile({ outputs: { y } }, { threads: 1, provider: "cpu" })
  try {
    const feeds = { a: values(ROWS * WIDTH), b: values(WIDTH * OUT) }
    await session.run(feeds)
    let best = Number.POSITIVE_INFINITY
    for (const begun = performance.now(); performance.now() - begun < LEAST_MS; ) {
      const start = performance.now()
      await session.run(feeds)
      best = Math.min(best, performance.now() - start)
    }
    return (2 * ROWS * WIDTH * OUT) / best / 1e6
  } finally {
    await session.release()
  }
}

/** Rates of this machine. */
export async function ratesHere(cores = availableParallelism()): Promise<Rates> {
  return { cores, gflops: await measureProduct(), from: "measured here", encoderSeconds: null }
}
