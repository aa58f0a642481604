/** The loss of the network that will be shipped, as it falls. */

import type { api } from "../home.ts"
import { text } from "../strings.ts"

const [WIDTH, HEIGHT, LEFT, BOTTOM] = [640, 220, 40, 26]

export function Curve({ points }: { points: readonly api.CurvePoint[] }) {
  const losses = points.map(({ loss }) => loss)
  const steps = Math.max(...points.map(({ steps: all }) => all))
  const top = Math.max(...losses) * 1.05
  const x = (step: number) => LEFT + ((WIDTH - LEFT - 8) * step) / steps
  const y = (loss: number) => 8 + (HEIGHT - BOTTOM - 8) * (1 - loss / top)
  const path = (values: readonly number[]) =>
    values.map((loss, i) => `${i === 0 ? "M" : "L"}${x(points[i].step).toFixed(1)} ${y(loss).toFixed(1)}`).join("")
  const marks = [0, 0.5, 1].map((share) => share * top)
  const last = points[points.length - 1]
  return (
    <figure class="curve">
      <figcaption>
        {text.curve} <data value={last.loss}>{last.loss.toFixed(3)}</data>
      </figcaption>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={text.curveLabel}>
        {marks.map((mark) => (
          <g key={mark}>
            <line x1={LEFT} x2={WIDTH - 8} y1={y(mark)} y2={y(mark)} class="rule" />
            <text x={LEFT - 6} y={y(mark) + 4} text-anchor="end">
              {mark.toFixed(top < 2 ? 2 : 1)}
            </text>
          </g>
        ))}
        <path d={path(losses)} class="raw" />
        <path d={path(smoothed(losses))} class="smooth" />
        <text x={WIDTH - 8} y={HEIGHT - 6} text-anchor="end">
          {text.update} {last.step} / {last.steps}
        </text>
      </svg>
    </figure>
  )
}

/** Mean over the neighbourhood: mixed-up batches differ much from one to the next. */
function smoothed(values: readonly number[]): number[] {
  const reach = Math.max(1, Math.round(values.length / 30))
  return values.map((_, i) => {
    const near = values.slice(Math.max(0, i - reach), i + reach + 1)
    return near.reduce((sum, value) => sum + value, 0) / near.length
  })
}
