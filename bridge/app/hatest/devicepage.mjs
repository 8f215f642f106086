// Opens a device's page in Home Assistant's own frontend, as its owner sees it, waits
// until it shows what is wanted, and takes a picture of it.
//
//   node devicepage.mjs URL TOKEN DEVICE OUT.png TEXT...
import { createRequire } from "node:module";

const { chromium } = createRequire(new URL("../../../web/package.json", import.meta.url))("playwright-core");
const [url, token, device, out, ...texts] = process.argv.slice(2);

const tokens = { access_token: token, token_type: "Bearer", expires_in: 1e6, expires: Date.now() + 1e9, hassUrl: url, clientId: url + "/", refresh_token: "" };
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
try {
  const page = await browser.newPage({ viewport: { width: 1280, height: 1900 } });
  page.on("console", (message) => message.type() === "error" && console.error(message.text()));
  page.on("pageerror", (error) => console.error(error));
  await page.addInitScript((t) => localStorage.setItem("hassTokens", JSON.stringify(t)), tokens);
  await page.goto(`${url}/config/devices/device/${device}`);
  try {
    for (const text of texts) await page.getByText(text, { exact: true }).first().waitFor({ timeout: 10000 });
  } finally {
    await page.screenshot({ path: out, fullPage: true });
  }
} finally {
  await browser.close();
}
