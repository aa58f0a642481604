/**
 * What stands between the frozen map and everything that is trained: an affine map fitted to the training clips.
 *
 * ```
 * x [..,D] ─ (x − mean)·scale ──┬──────────────────────────► [..,D]     each channel: mean 0, deviation 1
 *                               └─ principal components ───► [..,width]  the directions in which clips differ most
 * ```
 */

import { matmul, mul, sub, type Tensor } from "@fourtier/tensor"
import { type Scope, zeros } from "@fourtier/tensor/nn"

/**
 * The parameters `mean`, `scale` and, with a width, `projection` of the scope; they are fitted, never trained.
 *
 * @example
 * ```ts
 * import { standardize } from "@fourtier/core/model"
 * import { input } from "@fourtier/tensor"
 * import { Scope } from "@fourtier/tensor/nn"
 *
 * standardize(new Scope("standardize"), input("m", [2, 8, 36, 64]), 16).shape // [2, 8, 36, 16]
 * ```
 */
export function standardize(scope: Scope, x: Tensor, width: number | null): Tensor {
  const channels = x.shape[x.rank - 1]
  const centred = sub(x, scope.param("mean", [channels], zeros, { decay: false }))
  const scaled = mul(centred, scope.param("scale", [channels], zeros, { decay: false }))
  if (width === null) return scaled
  return matmul(scaled, scope.param("projection", [channels, width], zeros, { decay: false }))
}
