/**
 * On what the engine runs: training and features on WebAssembly, whose numbers a bundle is proven against; the recogniser at work on the
 * graphics processor, where the browser offers one that says the same and says it sooner.
 */

import type { SessionOptions } from "@fourtier/tensor"

/** Largest difference between what the two say, as a share of the largest number. */
const TOLERANCE = 1e-3
/** Runs that are timed, after one that is not. */
const RUNS = 3

/**
 * WebAssembly: all cores where the page may share memory, else one. Waking a thread takes about as long as one of these networks' ops,
 * so threads look out for the next op a moment before they sleep.
 */
export function runtime(): SessionOptions {
  const cores = Math.max(1, Math.min(8, navigator.hardwareConcurrency))
  return { threads: self.crossOriginIsolated ? cores : 1, spinning: true }
}

interface Adapter {
  isFallbackAdapter?: boolean
  info?: { isFallbackAdapter?: boolean }
}

interface Gpu {
  requestAdapter(options: { powerPreference: string }): Promise<Adapter | null>
}

/** Whether there is a graphics processor that is no emulation. */
async function hasGpu(): Promise<boolean> {
  const gpu = Reflect.get(navigator, "gpu") as Gpu | undefined
  const adapter = await gpu?.requestAdapter({ powerPreference: "high-performance" }).catch(() => null)
  return !!adapter && !(adapter.isFallbackAdapter ?? adapter.info?.isFallbackAdapter)
}

/**
 * Opens what runs on the better device. Whatever fails on the graphics processor is done without.
 * @param run a short piece of work, the same on either
 * @param release ends the one that is not taken
 */
export async function openOnBest<T>(
  open: (options: SessionOptions) => Promise<T>,
  run: (opened: T) => Promise<ArrayLike<number>>,
  release: (opened: T) => Promise<void>,
): Promise<T> {
  const safe = await open(runtime())
  if (!(await hasGpu())) return safe
  let other: T | null = null
  try {
    other = await open({ provider: "webgpu" })
    const [own, theirs] = [await timed(safe, run), await timed(other, run)]
    if (alike(own.said, theirs.said) && theirs.milliseconds < own.milliseconds) {
      await release(safe)
      return other
    }
  } catch {
    // a driver or a model that does not go together: what is safe is there
  }
  if (other) await release(other).catch(() => {})
  return safe
}

async function timed<T>(opened: T, run: (opened: T) => Promise<ArrayLike<number>>) {
  const said = await run(opened)
  const begun = performance.now()
  for (let i = 0; i < RUNS; i++) await run(opened)
  return { said, milliseconds: performance.now() - begun }
}

function alike(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  let [most, off] = [0, 0]
  for (let i = 0; i < a.length; i++) {
    most = Math.max(most, Math.abs(a[i]))
    off = Math.max(off, Math.abs(a[i] - b[i]))
  }
  return a.length === b.length && off <= TOLERANCE * most
}
