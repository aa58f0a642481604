/**
 * The peer at its best: before PyTorch is measured, the kernels of its OpenBLAS are tried in turn, since on some processors it guesses
 * an old one that is several times slower than the best (0.3.21 takes an Intel Xeon with AVX-512 for a Prescott). All libraries that
 * it computes with get the same number of threads. Both sides' plain matrix product is measured beside it.
 */

import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { input, matmul, Session } from "@fourtier/tensor"
import { z } from "zod"
import { BENCH, stop } from "./harness.ts"

/** Kernels by OpenBLAS's names; one that the library or the processor lacks gives the library's own guess. */
const KERNELS = [
  null,
  "Haswell",
  "SkylakeX",
  "Cooperlake",
  "SapphireRapids",
  "Zen",
  "Sandybridge",
  "NEOVERSEN1",
  "ARMV8",
]

const rateSchema = z.object({ library: z.string(), kernel: z.string(), rate: z.number() })

export interface Peer {
  /** The environment to start it with. */
  environment: NodeJS.ProcessEnv
  library: string
  kernel: string
  /** GFLOP/s of a plain product. */
  rate: number
}

/** Names of the numbers of threads of every library that PyTorch may compute with. */
const THREADS = [
  "OMP_NUM_THREADS",
  "OPENBLAS_NUM_THREADS",
  "MKL_NUM_THREADS",
  "BLIS_NUM_THREADS",
  "NUMEXPR_NUM_THREADS",
]

/** Tries PyTorch's kernels; prints what each reaches. */
export function fastestTorch(python: string, threads: number): Peer {
  const found = new Map<string, Peer>()
  for (const kernel of KERNELS) {
    const { OPENBLAS_CORETYPE: _, ...inherited } = process.env
    const environment: NodeJS.ProcessEnv = {
      ...inherited,
      ...Object.fromEntries(THREADS.map((name) => [name, `${threads}`])),
      ...(kernel === null ? {} : { OPENBLAS_CORETYPE: kernel }),
    }
    const script = join(BENCH, "matmul_torch.py")
    const { status, stdout } = spawnSync(python, [script, `${threads}`], { encoding: "utf8", env: environment })
    // a kernel for instructions that this processor lacks ends the process
    if (status !== 0) continue
    const { library, kernel: used, rate } = rateSchema.parse(JSON.parse(stdout))
    const known = found.get(used)
    if (known === undefined || known.rate < rate) found.set(used, { environment, library, kernel: used, rate })
    if (used === "") break
  }
  const [best] = [...found.values()].sort((a, b) => b.rate - a.rate)
  if (best === undefined) stop(`${python} cannot multiply matrices with PyTorch`)
  const all = [...found.values()].map(({ kernel, rate }) => `${kernel || "its kernel"} ${rate.toFixed(0)}`)
  process.stderr.write(
    `PyTorch, ${threads} threads, GFLOP/s: ${all.join(", ")}; taken: ${best.kernel || best.library}\n`,
  )
  return best
}

/** GFLOP/s of the same plain product in ONNX Runtime, with the weight as an input, as in training. */
export async function ownRate(threads: number): Promise<number> {
  const [M, K, N] = [1568, 384, 1536]
  const session = await Session.compile({ outputs: { y: matmul(input("a", [M, K]), input("b", [K, N])) } }, { threads })
  session.bind("y", new Float32Array(M * N))
  const feeds = { a: new Float32Array(M * K).fill(0.5), b: new Float32Array(K * N).fill(0.5) }
  let best = Number.POSITIVE_INFINITY
  for (const end = performance.now() + 1500; performance.now() < end; ) {
    const start = performance.now()
    await session.run(feeds)
    best = Math.min(best, performance.now() - start)
  }
  await session.release()
  return (2 * M * K * N) / best / 1e6
}
