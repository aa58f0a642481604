/** Brings the frozen map's channels to mean 0 and deviation 1 with figures of the training clips: a frozen affine map. */

import { ones, type Scope, zeros } from "../tensor/nn/params.ts"
import { mul, sub } from "../tensor/ops/functions.ts"
import type { Tensor } from "../tensor/tensor.ts"

export interface ChannelStatistics {
  /** [D] */
  mean: Float32Array
  /** [D], the reciprocal of the standard deviation */
  scale: Float32Array
}

/** x [..,D] -> (x − mean)·scale; the two are parameters `mean` and `scale` of the scope, never trained. */
export function standardize(scope: Scope, x: Tensor): Tensor {
  const width = [x.shape[x.rank - 1]]
  const centred = sub(x, scope.param("mean", width, zeros, { decay: false }))
  return mul(centred, scope.param("scale", width, ones, { decay: false }))
}

/** Collects per-channel mean and deviation from records of rows [..,D]. */
export class StatisticsCollector {
  readonly #sum: Float64Array
  readonly #squares: Float64Array
  #rows = 0

  constructor(width: number) {
    this.#sum = new Float64Array(width)
    this.#squares = new Float64Array(width)
  }

  add(values: Float32Array): void {
    const width = this.#sum.length
    for (let i = 0; i < values.length; i += width) {
      for (let d = 0; d < width; d++) {
        this.#sum[d] += values[i + d]
        this.#squares[d] += values[i + d] ** 2
      }
    }
    this.#rows += values.length / width
  }

  /** Channels that never vary get scale 0: they say nothing. */
  get(): ChannelStatistics {
    const mean = Float32Array.from(this.#sum, (sum) => sum / this.#rows)
    const scale = Float32Array.from(this.#squares, (squares, d) => {
      const variance = squares / this.#rows - (this.#sum[d] / this.#rows) ** 2
      return variance > 1e-10 ? 1 / Math.sqrt(variance) : 0
    })
    return { mean, scale }
  }
}
