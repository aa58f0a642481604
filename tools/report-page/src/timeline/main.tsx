/** Draws the timeline from the data that was written into the page. */

import { render } from "preact"
import type { TimelineData } from "../../../../packages/fourtier/src/report/timeline-data.ts"
import { Timeline } from "./timeline.tsx"
import "./style.css"

const place = document.getElementById("page")
if (place) {
  const data: TimelineData = JSON.parse(document.getElementById("data")?.textContent ?? "")
  place.replaceChildren()
  render(<Timeline data={data} />, place)
}
