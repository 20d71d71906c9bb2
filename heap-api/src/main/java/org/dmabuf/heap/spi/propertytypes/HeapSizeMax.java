// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.spi.propertytypes;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.osgi.service.component.annotations.ComponentPropertyType;

/**
 * Bytes of the largest buffer that the back end can make. The component property {@code heap.size.max}, see
 * {@link org.dmabuf.heap.HeapProperties#SIZE_MAX}.
 */
@ComponentPropertyType
@Retention(RetentionPolicy.CLASS)
@Target(ElementType.TYPE)
public @interface HeapSizeMax {
    /** {@return the value of {@code heap.size.max}} */
    long value();
}
