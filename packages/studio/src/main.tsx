/** Finds out where the studio lives, and shows it. */

import { render } from "preact"
import { text } from "./strings.ts"
import { App } from "./ui/app.tsx"
import { Model } from "./ui/model.ts"
import "./style.css"

const root = document.getElementById("app")

async function start(): Promise<void> {
  if (!root) return
  render(<p class="starting">{text.starting}</p>, root)
  const server = document.getElementById("home")?.textContent
  const home = server
    ? await (await import("./server-home.ts")).ServerHome.open(server)
    : await (await import("./page-home.ts")).PageHome.open()
  render(<App model={await Model.open(home)} />, root)
}

start().catch((error: unknown) => {
  if (!root) return
  render(
    <main class="starting">
      <h1>{text.cannotStart}</h1>
      <p role="alert">{error instanceof Error ? error.message : String(error)}</p>
      <p>{text.needs}</p>
    </main>,
    root,
  )
})
