// SPDX-License-Identifier: Apache-2.0
// Foreign names reach the page only as text nodes and attributes, never as markup.
"use strict";
(() => {
    const SVG = "http://www.w3.org/2000/svg";
    const WIDTH = 1000;
    const LONGEST = 30_000; // milliseconds; a scan of the holders takes 20 s at most
    // fetch refuses a page's address with a password in it
    const STATE = location.origin + location.pathname.replace(/\/$/, "") + "/state.json";
    const place = name => document.getElementById("dmaheap-" + name);

    function size(bytes) {
        if (bytes === undefined) {
            return "";
        }
        const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
        let unit = 0;
        while (bytes >= 1024 && unit < units.length - 1) {
            bytes /= 1024;
            unit++;
        }
        return (Number.isInteger(bytes) ? bytes : bytes.toFixed(1)) + " " + units[unit];
    }

    const number = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;

    function element(name, text) {
        const made = document.createElement(name);
        made.textContent = text;
        return made;
    }

    function drawing(total, parts) {
        const svg = document.createElementNS(SVG, "svg");
        svg.setAttribute("viewBox", `0 0 ${WIDTH} 10`);
        svg.setAttribute("preserveAspectRatio", "none");
        for (const part of parts) {
            const rect = document.createElementNS(SVG, "rect");
            rect.setAttribute("x", WIDTH * part.offset / total);
            rect.setAttribute("width", WIDTH * part.size / total);
            rect.setAttribute("height", 10);
            rect.setAttribute("class", part.state);
            const title = document.createElementNS(SVG, "title"); // the browser shows it on hover
            title.textContent = part.title;
            rect.append(title);
            svg.append(rect);
        }
        return svg;
    }

    function bar(row) {
        const total = row.limit ?? row.capacity;
        if (!total) {
            return "";
        }
        const svg = drawing(total, [
            { offset: 0, size: row.live, state: "live", title: "live " + size(row.live) },
            { offset: row.live, size: row.lingering, state: "lingering", title: "lingering " + size(row.lingering) },
        ]);
        svg.classList.add("bar");
        return svg;
    }

    // Each column: its heading, and its cell as text, number text or node.
    function table(name, columns, rows) {
        const head = document.createElement("tr");
        head.append(...columns.map(([heading, , kind]) => {
            const cell = element("th", heading);
            cell.className = kind ?? "";
            return cell;
        }));
        const body = rows.map(row => {
            const line = document.createElement("tr");
            for (const [, cell, kind] of columns) {
                const value = cell(row);
                const data = element("td", "");
                data.append(value ?? "");
                data.className = kind ?? "";
                line.append(data);
            }
            return line;
        });
        place(name).replaceChildren(head, ...body);
    }

    function holders(buffer) {
        const all = buffer.holders.map(holder => `${holder.process} (${holder.pid}): `
            + `${number(holder.descriptors, "descriptor")}, ${number(holder.mappings, "mapping")}`);
        if (buffer.unattributed > 0) {
            all.push(`count +${buffer.unattributed}: imports, messages under way`);
        }
        return all.join("\n");
    }

    const key = (client, buffer) => JSON.stringify([client, buffer]);

    function stretch(part, buffers) {
        const holds = part.buffer === undefined ? []
            : (buffers.get(key(part.client, part.buffer)) ?? []).map(holders).filter(text => text);
        return { ...part, title: [`${part.state}, ${size(part.size)} at ${part.offset}`,
            part.buffer && `buffer ${part.buffer}`, part.client && `client ${part.client}`, ...holds]
            .filter(line => line).join("\n") };
    }

    function show(state) {
        table("heaps", [["Heap", row => row.name], ["State", row => row.state], ["Use", bar],
            ["Live", row => size(row.live), "number"], ["Lingering", row => size(row.lingering), "number"],
            ["Peak", row => size(row.peak), "number"], ["Capacity", row => size(row.capacity), "number"],
            ["Quota", row => size(row.limit), "number"], ["Failures", row => row.failures, "number"],
            ["Reason", row => row.reason]], state.heaps);
        const buffers = new Map();
        for (const buffer of state.buffers) {
            const name = key(buffer.client, buffer.name);
            buffers.set(name, [...(buffers.get(name) ?? []), buffer]);
        }
        place("regions").replaceChildren(...state.regions.flatMap(region => region.problem !== undefined
            ? [element("p", `${region.heap}: ${region.problem}`)]
            : [element("p", `${region.heap}, ${size(region.size)}`),
                drawing(region.size, region.stretches.map(part => stretch(part, buffers)))]));
        table("clients", [["Client", row => row.client], ["Use of quota", bar],
            ["Live", row => size(row.live), "number"], ["Lingering", row => size(row.lingering), "number"],
            ["Peak", row => size(row.peak), "number"], ["Quota", row => size(row.limit), "number"],
            ["Failures", row => row.failures, "number"]], state.clients);
        table("buffers", [["Buffer", row => row.name], ["Heap", row => row.heap], ["Client", row => row.client],
            ["Size", row => size(row.size), "number"], ["State", row => row.state],
            ["Age", row => row.age + " s", "number"], ["Holders", holders]], state.buffers);
        place("limits").replaceChildren(...state.limits.map(limit => element("li", limit)));
        table("refusals", [["Time", row => new Date(row.time).toLocaleTimeString()], ["Heap", row => row.heap],
            ["Client", row => row.client], ["Refusal", row => row.sentence]], state.refusals);
    }

    async function poll() {
        if (!document.hidden) {
            try {
                const answer = await fetch(STATE, { signal: AbortSignal.timeout(LONGEST) });
                if (!answer.ok) {
                    throw new Error("status " + answer.status);
                }
                show(await answer.json());
                place("problem").textContent = "";
            } catch (error) {
                place("problem").textContent = `reading the gateway failed: ${error.message}; the page tries again`;
            }
        }
        setTimeout(poll, 1000);
    }

    poll();
})();
