/**
 * The peer at its best: before PyTorch is measured, the kernels of its OpenBLAS are tried in turn, since on some processors it guesses
 * an old one that is several times slower than the best (0.3.21 takes an Intel Xeon with AVX-512 for a Prescott). glibc hands large
 * buffers back to the system after every use, which on some virtual machines costs more than the computing itself, so each kernel
 * is tried with the memory kept as well. What is measured decides: a step, not a plain product. All libraries that it computes with get the
 * same number of threads. Both sides' plain matrix product is measured beside it.
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
  /** What becomes of freed memory: glibc returns large buffers to the system unless told otherwise. */
  memory: "returned" | "kept"
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

const KEEP_MEMORY = {
  MALLOC_MMAP_THRESHOLD_: "4000000000",
  MALLOC_TRIM_THRESHOLD_: "8000000000",
  MALLOC_TOP_PAD_: "500000000",
}

/**
 * Settings to try: the `most` fastest of PyTorch's kernels by a plain product, each with freed memory returned and kept. Prints what each
 * kernel reaches.
 */
export function torchSettings(python: string, threads: number, most: number): Peer[] {
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
    if (known === undefined || known.rate < rate) {
      found.set(used, { environment, library, kernel: used, memory: "returned", rate })
    }
    if (used === "") break
  }
  const sorted = [...found.values()].sort((a, b) => b.rate - a.rate)
  if (sorted.length === 0) stop(`${python} cannot multiply matrices with PyTorch`)
  const all = sorted.map(({ kernel, rate }) => `${kernel || "its kernel"} ${rate.toFixed(0)}`)
  process.stderr.write(`PyTorch, ${threads} threads, GFLOP/s: ${all.join(", ")}\n`)
  return sorted
    .slice(0, most)
    .flatMap((peer) => [peer, { ...peer, environment: { ...peer.environment, ...KEEP_MEMORY }, memory: "kept" }])
}

/**
 * The setting with which `seconds` is least; prints each. `asInstalled` is the time of the first: the fastest kernel, all else as it is.
 */
export async function fastestPeer(settings: readonly Peer[], seconds: (peer: Peer) => Promise<number>) {
  const tried: { peer: Peer; time: number }[] = []
  for (const peer of settings) tried.push({ peer, time: await seconds(peer) })
  const words = tried.map(
    ({ peer, time }) => `${peer.kernel || peer.library}, memory ${peer.memory} ${time.toFixed(3)} s`,
  )
  process.stderr.write(`${words.join("; ")}\n`)
  const [best] = [...tried].sort((a, b) => a.time - b.time)
  return { peer: best.peer, asInstalled: tried[0].time }
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
