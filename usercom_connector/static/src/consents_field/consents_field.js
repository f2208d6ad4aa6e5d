import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import { standardFieldProps } from "@web/views/fields/standard_field_props";

import { Component } from "@odoo/owl";

const MARKS = {
    open: "fa-check text-success",
    hindered: "fa-exclamation-triangle text-warning",
    pending: "fa-hourglass-half text-muted",
    withdrawn: "fa-ban text-danger",
};
const BADGES = {
    given: "text-bg-success",
    withdrawn: "text-bg-danger",
    pending: "text-bg-warning",
    never: "text-bg-light border",
};

/**
 * The consents of a contact, one line for each purpose: state, since when, from where, and what to
 * do about it. The server has put all of it into words.
 */
export class ConsentsField extends Component {
    static template = "usercom_connector.ConsentsField";
    static props = { ...standardFieldProps };

    setup() {
        this.action = useService("action");
        this.orm = useService("orm");
    }

    get lines() {
        return this.props.record.data[this.props.name] || [];
    }

    badge(line) {
        return BADGES[line.state];
    }

    async recordWord(line, state) {
        const { record } = this.props;
        if (!(await record.save())) {
            return;
        }
        const title =
            state === "given"
                ? _t("%s: consent given", line.name)
                : _t("%s: consent withdrawn", line.name);
        await this.action.doAction(
            {
                type: "ir.actions.act_window",
                name: title,
                res_model: "usercom.consent.word",
                views: [[false, "form"]],
                target: "new",
                context: {
                    default_partner_id: record.resId,
                    default_purpose_id: line.id,
                    default_state: state,
                },
            },
            { onClose: () => record.load() }
        );
    }

    async openHistory(line) {
        const { record } = this.props;
        if (await record.save()) {
            const method = "usercom_action_consent_history";
            const action = await this.orm.call("res.partner", method, [[record.resId], line.id]);
            await this.action.doAction(action);
        }
    }
}

/** The same on a card: what was said, without the words. */
export class ConsentBadgesField extends Component {
    static template = "usercom_connector.ConsentBadgesField";
    static props = { ...standardFieldProps };

    get lines() {
        const lines = this.props.record.data[this.props.name] || [];
        return lines.filter((line) => line.state !== "never");
    }

    mark(line) {
        return MARKS[line.standing];
    }

    title(line) {
        return [`${line.name}: ${line.label}`, line.since, ...line.notes].filter(Boolean).join("\n");
    }
}

const fields = registry.category("fields");
fields.add("usercom_consents", {
    component: ConsentsField,
    displayName: _t("Consents"),
    supportedTypes: ["json"],
});
fields.add("usercom_consent_badges", {
    component: ConsentBadgesField,
    displayName: _t("Consent Badges"),
    supportedTypes: ["json"],
});
