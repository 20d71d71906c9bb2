// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.spi.propertytypes;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.osgi.service.component.annotations.ComponentPropertyType;

/**
 * Bytes of each entry in a device's scatter list, if they are fixed. The component property {@code heap.sg.entry}, see
 * {@link org.dmabuf.heap.HeapProperties#SG_ENTRY}.
 */
@ComponentPropertyType
@Retention(RetentionPolicy.CLASS)
@Target(ElementType.TYPE)
public @interface HeapSgEntry {
    /** {@return the value of {@code heap.sg.entry}} */
    long value();
}
