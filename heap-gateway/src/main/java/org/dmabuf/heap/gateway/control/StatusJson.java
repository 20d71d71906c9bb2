// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control;

import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import org.apache.felix.utils.json.JSONWriter;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.linux.text.Printable;

/**
 * JSON form of a status: one object. Its names are stable; new names may be added. A name is absent if its value is
 * unknown or does not apply, as in the JSON of the shell's commands.
 */
final class StatusJson {
    private StatusJson() {}

    static String of(StatusReport report) {
        Map<String, Object> status = new LinkedHashMap<>();
        status.put("version", report.version());
        status.put("pid", report.process());
        status.put("uptimeSeconds", report.up().toSeconds());
        status.put("well", report.isWell());
        status.put("heaps", report.heaps().stream().map(StatusJson::heap).toList());
        report.heapsUnknown().ifPresent(reason -> status.put("heapsUnknown", reason));
        status.put(
                "idleBundles", report.bundles().stream().map(StatusJson::bundle).toList());
        status.put(
                "sessions", report.sessions().stream().map(StatusJson::session).toList());
        try {
            StringWriter text = new StringWriter();
            new JSONWriter(text).value(status).flush();
            return Printable.of(text.toString()) + "\n"; // the writer passes some invisible characters
        } catch (IOException e) {
            throw new UncheckedIOException("a writer in memory does not fail", e);
        }
    }

    private static Map<String, Object> heap(HeapInfo heap) {
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("name", heap.name());
        map.put("state", heap.state().name().toLowerCase(Locale.ROOT));
        map.put("wrong", StatusReport.isWrong(heap));
        map.put("bundle", heap.bundle());
        map.put("liveBytes", heap.charged().liveBytes());
        heap.usage().free().ifPresent(bytes -> map.put("freeBytes", bytes));
        heap.usage().capacity().ifPresent(bytes -> map.put("capacityBytes", bytes));
        heap.reason().ifPresent(reason -> map.put("reason", reason));
        return map;
    }

    private static Map<String, Object> bundle(IdleBundle bundle) {
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("name", bundle.name());
        map.put("reason", bundle.reason());
        return map;
    }

    private static Map<String, Object> session(StatusReport.AttachedSession session) {
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("kind", session.kind());
        map.put("user", session.user());
        map.put("seconds", session.since().toSeconds());
        return map;
    }
}
