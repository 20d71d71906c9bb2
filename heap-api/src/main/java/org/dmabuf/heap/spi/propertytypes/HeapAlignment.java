// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.spi.propertytypes;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.osgi.service.component.annotations.ComponentPropertyType;

/**
 * Largest alignment in bytes that a request may have. The component property {@code heap.alignment}, see
 * {@link org.dmabuf.heap.HeapProperties#ALIGNMENT}.
 */
@ComponentPropertyType
@Retention(RetentionPolicy.CLASS)
@Target(ElementType.TYPE)
public @interface HeapAlignment {
    /** {@return the value of {@code heap.alignment}} */
    long value();
}
