/** Draws the page from the data that was written into it; where a server keeps it up to date, draws it again when that says so. */

import { render } from "preact"
import { App } from "./app.tsx"
import { embedded, type page } from "./data.ts"
import "./style.css"

const place = document.getElementById("page")
if (place) {
  const draw = (data: page.PageData) => render(<App data={data} />, place)
  const first = embedded()
  place.replaceChildren()
  draw(first)
  if (first.live) follow(draw)
}

function follow(draw: (data: page.PageData) => void): void {
  const events = new EventSource("events")
  events.onmessage = async () => {
    const response = await fetch("data.json")
    if (response.ok) draw(await response.json())
  }
}
