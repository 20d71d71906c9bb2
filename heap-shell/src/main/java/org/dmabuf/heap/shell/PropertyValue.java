// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.lang.reflect.Array;
import java.util.Collection;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** Conversion of service properties, whose values are single values, arrays (also of primitives) or collections. */
final class PropertyValue {
    private PropertyValue() {}

    /** {@return the value as text; several values are separated by commas; null becomes an empty text} */
    static String text(Object value) {
        return several(value).stream().map(String::valueOf).collect(Collectors.joining(","));
    }

    /** {@return the value as JSON supports it: String, Number, Boolean, or a list of these} */
    static Object json(Object value) {
        return value instanceof Collection || value.getClass().isArray()
                ? several(value).stream().map(PropertyValue::jsonOfOne).toList()
                : jsonOfOne(value);
    }

    private static Object jsonOfOne(Object value) {
        return value instanceof Number || value instanceof Boolean ? value : String.valueOf(value);
    }

    private static List<?> several(Object value) {
        return switch (value) {
            case null -> List.of();
            case Collection<?> values -> List.copyOf(values);
            case Object array
            when array.getClass().isArray() ->
                IntStream.range(0, Array.getLength(array))
                        .mapToObj(index -> Array.get(array, index))
                        .toList();
            default -> List.of(value);
        };
    }
}
