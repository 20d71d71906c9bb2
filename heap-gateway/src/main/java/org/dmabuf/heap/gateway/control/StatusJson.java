// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control;

import java.util.List;
import java.util.Locale;
import java.util.OptionalLong;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.dmabuf.heap.HeapInfo;

/**
 * JSON form of a status: one object. Its names are stable; new names may be added. Unknown values are null.
 */
final class StatusJson {
    private StatusJson() {}

    static String of(StatusReport report) {
        return object(
                        field("version", text(report.version())),
                        field("pid", report.process()),
                        field("uptimeSeconds", report.up().toSeconds()),
                        field("well", report.isWell()),
                        field("heaps", array(report.heaps(), StatusJson::heap)),
                        field(
                                "heapsUnknown",
                                report.heapsUnknown().map(StatusJson::text).orElse("null")),
                        field("idleBundles", array(report.bundles(), StatusJson::bundle)),
                        field("sessions", array(report.sessions(), StatusJson::session)))
                + "\n";
    }

    private static String heap(HeapInfo heap) {
        return object(
                field("name", text(heap.name())),
                field("state", text(heap.state().name().toLowerCase(Locale.ROOT))),
                field("wrong", StatusReport.isWrong(heap)),
                field("bundle", text(heap.bundle())),
                field("liveBytes", heap.charged().liveBytes()),
                field("freeBytes", number(heap.usage().free())),
                field("capacityBytes", number(heap.usage().capacity())),
                field("reason", heap.reason().map(StatusJson::text).orElse("null")));
    }

    private static String bundle(IdleBundle bundle) {
        return object(field("name", text(bundle.name())), field("reason", text(bundle.reason())));
    }

    private static String session(StatusReport.AttachedSession session) {
        return object(
                field("kind", text(session.kind())),
                field("user", text(session.user())),
                field("seconds", session.since().toSeconds()));
    }

    private static String object(String... fields) {
        return "{" + String.join(",", fields) + "}";
    }

    private static String field(String name, Object value) {
        return "\"" + name + "\":" + value;
    }

    private static <T> String array(List<T> elements, Function<T, String> each) {
        return elements.stream().map(each).collect(Collectors.joining(",", "[", "]"));
    }

    private static String number(OptionalLong number) {
        return number.isPresent() ? Long.toString(number.getAsLong()) : "null";
    }

    private static String text(String text) {
        StringBuilder quoted = new StringBuilder("\"");
        for (char unit : text.toCharArray()) {
            if (unit == '"' || unit == '\\') {
                quoted.append('\\').append(unit);
            } else if (unit < ' ' || unit == 0x7F || Character.isSurrogate(unit)) {
                quoted.append(String.format("\\u%04x", (int) unit));
            } else {
                quoted.append(unit);
            }
        }
        return quoted.append('"').toString();
    }
}
