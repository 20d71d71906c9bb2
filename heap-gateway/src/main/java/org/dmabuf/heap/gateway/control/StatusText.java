// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control;

import java.time.Duration;
import java.util.Locale;
import java.util.OptionalLong;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.linux.text.Printable;

/** Text form of a status: within 80 columns, except for reasons, which have lines of their own. */
final class StatusText {
    private static final int NAME = 24;

    private StatusText() {}

    static String of(StatusReport report) {
        StringBuilder text = new StringBuilder();
        line(
                text,
                "gateway %s, process %d, up %s: %s",
                report.version(),
                report.process(),
                time(report.up()),
                report.isWell() ? "well" : "problems, see below");
        line(text, "");
        if (report.heapsUnknown().isPresent()) {
            line(text, "heaps: %s", report.heapsUnknown().get());
        } else if (report.heaps().isEmpty()) {
            line(text, "heaps: none");
        } else {
            line(text, "%-24s %-10s %12s %12s", "heap", "state", "live", "free");
            report.heaps().forEach(heap -> heap(text, heap));
        }
        if (!report.bundles().isEmpty()) {
            line(text, "");
            line(text, "bundles that do not run:");
            report.bundles().forEach(bundle -> line(text, "  %s: %s", bundle.name(), bundle.reason()));
        }
        line(text, "");
        line(
                text,
                "sessions: %s",
                report.sessions().isEmpty() ? "none" : report.sessions().size());
        report.sessions()
                .forEach(session ->
                        line(text, "  %s of %s for %s", session.kind(), session.user(), time(session.since())));
        return text.toString();
    }

    private static void heap(StringBuilder text, HeapInfo heap) {
        String name = Printable.of(heap.name());
        if (name.length() > NAME) {
            line(text, "%s", name);
            name = "";
        }
        line(
                text,
                "%-24s %-10s %12s %12s",
                name,
                heap.state().name().toLowerCase(Locale.ROOT),
                Bytes.text(heap.charged().liveBytes()),
                size(heap.usage().free()));
        heap.reason().ifPresent(reason -> line(text, "    %s", reason));
    }

    private static String size(OptionalLong bytes) {
        return bytes.isPresent() ? Bytes.text(bytes.getAsLong()) : "-";
    }

    private static String time(Duration duration) {
        long seconds = Math.max(0, duration.toSeconds());
        if (seconds < 60) {
            return seconds + " s";
        }
        return seconds < 3600
                ? seconds / 60 + " min " + seconds % 60 + " s"
                : seconds < 86_400
                        ? seconds / 3600 + " h " + seconds % 3600 / 60 + " min"
                        : seconds / 86_400 + " d " + seconds % 86_400 / 3600 + " h";
    }

    private static void line(StringBuilder text, String format, Object... arguments) {
        text.append(Printable.of(String.format(Locale.ROOT, format, arguments)).stripTrailing())
                .append('\n');
    }
}
