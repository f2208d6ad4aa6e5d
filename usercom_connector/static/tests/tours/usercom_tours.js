import { rpc } from "@web/core/network/rpc";
import { registry } from "@web/core/registry";
import { stepUtils } from "@web_tour/tour_utils";

const KEY = "k".repeat(64);

function openAccounts() {
    return [
        ...stepUtils.goToAppSteps("usercom_connector.usercom_menu_root", "Open the app"),
        { trigger: ".o_breadcrumb:contains(Accounts)" },
    ];
}

function openAccount(name) {
    return [
        ...openAccounts(),
        { trigger: `.o_data_row .o_data_cell:contains(${name})`, run: "click" },
        { trigger: ".o_form_view [name=subdomain]" },
    ];
}

function fillConnection(name, key) {
    return [
        { trigger: ".o_list_button_add", run: "click" },
        {
            content: "Nothing that could change is shown before the account is saved",
            trigger: ".o_form_view .tab-pane:contains(as soon as the account is saved)",
        },
        { trigger: ".o_field_widget[name=name] input", run: `edit ${name}` },
        { trigger: ".o_field_widget[name=subdomain] input", run: "edit https://acme.user.com/" },
        { trigger: ".o_field_widget[name=rest_key_input] input[type=password]", run: `edit ${key}` },
        { trigger: "button[name=action_test_connection]", run: "click" },
    ];
}

registry.category("web_tour.tours").add("usercom_connect", {
    steps: () => [
        ...stepUtils.goToAppSteps("base.menu_management", "Open Apps"),
        { trigger: ".o_searchview_input", run: "edit User.com" },
        { trigger: ".o_searchview_input", run: "press Enter" },
        { trigger: ".o_kanban_record:contains(User.com Connector)" },
        ...openAccounts(),
        ...fillConnection("Acme live", KEY),
        { trigger: ".o_notification:contains(Connection works)" },
        {
            content: "The pasted address has become the subdomain",
            trigger: ".o_field_widget[name=subdomain] input:value(acme)",
        },
        {
            content: "The key is not shown again",
            trigger: ".o_field_widget[name=rest_key_input] input:value()",
            run() {
                if (!this.anchor.placeholder.startsWith("Stored")) {
                    throw new Error("The form does not say that a key is stored");
                }
            },
        },
        { trigger: ".o_arrow_button_current:contains(Connected)" },
        { trigger: "button[name=action_start]", run: "click" },
        { trigger: ".o_arrow_button_current:contains(Running)" },
        { trigger: "button[name=action_pause]" },
    ],
});

registry.category("web_tour.tours").add("usercom_wrong_key", {
    steps: () => [
        ...openAccounts(),
        ...fillConnection("Acme live", "abc123"),
        { trigger: ".modal:contains(A REST key has 64 letters and digits)" },
        { trigger: ".modal .modal-footer .btn-primary", run: "click" },
        { trigger: "body:not(:has(.modal))" },
        { trigger: ".o_field_widget[name=rest_key_input] input", run: `edit ${"w".repeat(64)}` },
        { trigger: "button[name=action_test_connection]", run: "click" },
        { trigger: ".o_notification:contains(User.com does not know this REST key)" },
        { trigger: ".o_field_widget[name=check_result]:contains(does not know this REST key)" },
        { trigger: ".o_arrow_button_current:contains(Draft)" },
        { content: "It cannot be started", trigger: "body:not(:has(button[name=action_start]))" },
    ],
});

registry.category("web_tour.tours").add("usercom_creation", {
    steps: () => [
        ...openAccount("Acme live"),
        { trigger: "button.o_usercom_usercom_on", run: "click" },
        {
            content: "The dialog says how many",
            trigger: ".modal:contains(not linked with User.com now) [name=count]:contains(/^3$/)",
        },
        { trigger: ".modal .btn-secondary:contains(Cancel)", run: "click" },
        { trigger: "body:not(:has(.modal))" },
        {
            content: "It is still off",
            trigger: "button.o_usercom_usercom_on",
            run: "click",
        },
        { trigger: ".modal [name=include_existing] input", run: "click" },
        { trigger: ".modal button[name=action_switch_on]", run: "click" },
        { trigger: "button.o_usercom_usercom_off" },
        { trigger: "button.o_usercom_odoo_on", run: "click" },
        {
            trigger: ".modal:contains(User.com called about) [name=count]:contains(/^1$/)",
        },
        { trigger: ".modal button[name=action_switch_on]", run: "click" },
        { trigger: "button.o_usercom_odoo_off" },
    ],
});

const copied = [];

registry.category("web_tour.tours").add("usercom_copy", {
    steps: () => [
        ...openAccount("Acme live"),
        {
            content: "The secret is not on the screen until somebody asks",
            trigger: "[data-header=X-Usercom-Secret] .o_usercom_header_value code:contains(••••)",
            run() {
                navigator.clipboard.writeText = async (text) => copied.push(text);
            },
        },
        ...["webhook_url", "webhook_headers", "webhook_body"].map((field) => ({
            trigger: `[name=${field}] .o_clipboard_button`,
            run() {
                for (const button of document.querySelectorAll(
                    `[name=${field}] .o_clipboard_button`
                )) {
                    button.click();
                }
            },
        })),
        {
            content: "What was copied is exactly what the server expects",
            trigger: "body",
            async run() {
                const [account] = await rpc("/web/dataset/call_kw/usercom.account/search_read", {
                    model: "usercom.account",
                    method: "search_read",
                    args: [
                        [["name", "=", "Acme live"]],
                        ["webhook_url", "webhook_headers", "webhook_body"],
                    ],
                    kwargs: {},
                });
                const headers = account.webhook_headers.split("\n").map((line) => line.split(": "));
                const expected = [account.webhook_url, ...headers.flat(), account.webhook_body];
                if (JSON.stringify(copied) !== JSON.stringify(expected)) {
                    throw new Error(`Copied ${copied}`);
                }
            },
        },
        { trigger: "[data-header=X-Usercom-Secret] button:has(.fa-eye)", run: "click" },
        { trigger: "[data-header=X-Usercom-Secret] code:not(:contains(••••)):contains(/^.{43}$/)" },
    ],
});

registry.category("web_tour.tours").add("usercom_mapping", {
    steps: () => [
        { trigger: ".o_form_view .nav-link:contains(What Travels)", run: "click" },
        {
            content: "The ready lines are there",
            trigger: "[name=contact_mapping_ids] .o_data_row:contains(Phone number)",
        },
        { trigger: ".o_usercom_add_contact", run: "click" },
        { trigger: ".modal .o_model_field_selector", run: "click" },
        {
            trigger: ".o_model_field_selector_popover_item_name:contains(/^Banks$/)",
            run: "click",
        },
        {
            content: "What can never be mapped is said at once",
            trigger: ".modal .alert-danger:contains(bank data never travel)",
        },
        { trigger: ".modal .o_model_field_selector", run: "click" },
        {
            trigger: ".o_model_field_selector_popover_item_name:contains(/^Job Position$/)",
            run: "click",
        },
        { trigger: ".modal:not(:has(.alert-danger)) .o_usercom_create_attribute", run: "click" },
        {
            content: "It is created in User.com and chosen",
            trigger: ".modal [name=attribute_id] input:value(Job Position (job_position))",
        },
        { trigger: ".modal .o_form_button_save", run: "click" },
        {
            trigger:
                "body:not(:has(.modal)) [name=contact_mapping_ids] .o_data_row:contains(job_position)",
        },
        { trigger: ".o_usercom_carry", run: "click" },
        {
            content: "The dialog says how many before anything happens",
            trigger: ".modal:contains(Linked contacts to look at) [name=count]:contains(/^2$/)",
        },
        { trigger: ".modal button[name=action_carry]", run: "click" },
        { trigger: "body:not(:has(.modal)):not(:has(.o_usercom_carry))" },
    ],
});

registry.category("web_tour.tours").add("usercom_try", {
    steps: () => [
        { trigger: ".o_form_view .nav-link:contains(What Travels)", run: "click" },
        { trigger: "button.o_usercom_try", run: "click" },
        { trigger: ".modal [name=partner_id] input", run: "edit Jan Probny" },
        { trigger: ".ui-menu-item a:contains(Jan Probny)", run: "click" },
        { trigger: ".modal button[name=action_try]", run: "click" },
        { trigger: ".modal [name=status]:contains(number 1)" },
        {
            content: "What is there comes in",
            trigger: ".modal .o_data_row:contains(City) [name=written]:contains(Hel)",
        },
        {
            content: "What is here goes out",
            trigger: ".modal .o_data_row:contains(Phone) [name=sent]:contains(+48600100200)",
        },
        { trigger: ".modal .btn-secondary:contains(Close)", run: "click" },
        { trigger: "body:not(:has(.modal))" },
    ],
});

const EMAIL_LINE = ".o_usercom_consent[data-purpose='E-mail marketing']";

function recordWord(word, source, date = []) {
    return [
        { trigger: `${EMAIL_LINE} .o_usercom_${word}`, run: "click" },
        {
            content: "Whose, and for which address",
            trigger: ".modal:contains(Jan Testowy) [name=address]:contains(jan@example.com)",
        },
        {
            content: "Not without saying how",
            trigger: ".modal .modal-footer button[name=action_record]:visible",
            run: "click",
        },
        { trigger: ".modal [name=source].o_field_invalid" },
        { trigger: `.modal [name=source] label:contains(${source})`, run: "click" },
        ...date,
        { trigger: ".modal [name=document] input", run: `edit Note on ${word}` },
        { trigger: ".modal .modal-footer button[name=action_record]:visible", run: "click" },
        {
            trigger: `body:not(:has(.modal)) ${EMAIL_LINE}[data-state=${word}]:contains(${source}, Note on ${word})`,
        },
    ];
}

registry.category("web_tour.tours").add("usercom_salesperson", {
    steps: () => [
        { trigger: ".o_form_view .nav-link:contains(User.com)", run: "click" },
        { trigger: `${EMAIL_LINE}[data-state=never]:contains(Never asked)` },
        {
            content: "Without a number there is nothing to record, and the line says so",
            trigger: ".o_usercom_consent[data-purpose='SMS marketing']:contains(no valid phone number):not(:has(.o_usercom_given))",
        },
        ...recordWord("given", "On paper", [
            {
                content: "A paper bears a date: none is proposed",
                trigger: ".modal .modal-footer button[name=action_record]:visible",
                run: "click",
            },
            { trigger: ".modal [name=happened_at].o_field_invalid" },
            { trigger: ".modal [name=happened_at] input", run: "edit 03/05/2026 12:00:00" },
        ]),
        ...recordWord("withdrawn", "By phone"),
        { trigger: `${EMAIL_LINE} .o_usercom_history`, run: "click" },
        {
            content: "Both words stay in the history",
            trigger: ".o_list_view .o_data_row:eq(1):contains(Given):contains(On paper)",
        },
        { trigger: ".o_list_view .o_data_row:eq(0):contains(Withdrawn):contains(By phone)" },
    ],
});

registry.category("web_tour.tours").add("usercom_consent_filters", {
    steps: () => [
        { trigger: ".o_list_view" },
        { trigger: ".o_switch_view.o_kanban", run: "click" },
        { trigger: ".o_kanban_record:contains(Silent Person)" },
        { trigger: ".o_searchview_dropdown_toggler", run: "click" },
        {
            trigger: ".o_filter_menu .o_menu_item:contains(/^May be e-mailed$/)",
            run: "click",
        },
        {
            trigger: ".o_kanban_record:contains(Open Person) [data-standing=open]",
        },
        { trigger: ".o_kanban_view:not(:contains(Silent Person)):not(:contains(Closed Person))" },
        { trigger: ".o_facet_remove", run: "click" },
        { trigger: ".o_kanban_record:contains(Silent Person)" },
        { trigger: ".o_searchview_dropdown_toggler", run: "click" },
        { trigger: ".o_group_by_menu .o_menu_item:contains(/^E-mail marketing$/)", run: "click" },
        { trigger: ".o_kanban_group:contains(May be e-mailed):contains(Open Person)" },
        { trigger: ".o_kanban_group:contains(Withdrawn):contains(Closed Person)" },
        { trigger: ".o_kanban_group:contains(Never asked)" },
    ],
});

registry.category("web_tour.tours").add("usercom_portal", {
    steps: () => [
        { trigger: ".o_portal_my_home a[href='/my/consents']:visible", run: "click", expectUnloadPage: true },
        { trigger: "[data-state=given]:contains(Yes, write to me.)" },
        {
            trigger: "[data-state=given]:contains(Yes, write to me.) button:contains(Withdraw)",
            run: "click",
            expectUnloadPage: true,
        },
        { trigger: ".alert-success:contains(recorded)" },
        { trigger: "[data-state=withdrawn]:contains(Yes, write to me.) button:contains(I agree)" },
    ],
});

function noOverflow() {
    return {
        content: "Nothing is wider than the screen",
        trigger: "body",
        run() {
            for (const element of [document.documentElement, ...document.querySelectorAll(".o_content")]) {
                if (element.scrollWidth > element.clientWidth) {
                    throw new Error(`${element.className}: ${element.scrollWidth} px wide`);
                }
            }
        },
    };
}

registry.category("web_tour.tours").add("usercom_phone_contact", {
    steps: () => [
        { trigger: ".o_form_view .nav-link:contains(User.com)", run: "click" },
        { trigger: `${EMAIL_LINE}[data-state=given]:contains(jan@example.com)` },
        noOverflow(),
        { trigger: `${EMAIL_LINE} .o_usercom_given`, run: "click" },
        { trigger: ".modal [name=source] label:contains(On paper)" },
        noOverflow(),
        { trigger: ".modal .btn-secondary:contains(Cancel)", run: "click" },
        { trigger: `body:not(:has(.modal)) ${EMAIL_LINE} .o_usercom_history`, run: "click" },
        { trigger: ".o_kanban_view .o_kanban_record:contains(jan@example.com)" },
        noOverflow(),
    ],
});

registry.category("web_tour.tours").add("usercom_phone_portal", {
    steps: () => [{ trigger: "[data-state=never]:contains(Yes, write to me.)" }, noOverflow()],
});

registry.category("web_tour.tours").add("usercom_phone_try", {
    steps: () => [
        { trigger: ".o_form_view .nav-link:contains(What Travels)", run: "click" },
        { trigger: "button.o_usercom_try", run: "click" },
        { trigger: ".modal [name=partner_id] input", run: "click" },
        { trigger: ".modal .o_kanban_record:contains(Jan Probny)", run: "click" },
        { trigger: ".modal button[name=action_try]", run: "click" },
        {
            trigger: ".modal .o_kanban_record:contains(City):contains(Would be written):contains(Hel)",
        },
        {
            trigger: ".modal .o_kanban_record:contains(Phone):contains(Would be sent):contains(+48600100200)",
        },
        noOverflow(),
    ],
});

registry.category("web_tour.tours").add("usercom_phone_account", {
    steps: () => [
        { trigger: ".o_form_view .o_usercom_headers" },
        noOverflow(),
        { trigger: ".o_form_view .nav-link:contains(What Travels)", run: "click" },
        {
            content: "A card for each consent",
            trigger:
                ".o_field_widget[name=consent_attribute_ids] .o_kanban_record:contains(E-mail marketing):contains(email_consent)",
            run: "click",
        },
        { trigger: ".modal [name=name] input:value(email_consent)" },
        noOverflow(),
        { trigger: ".modal .o_form_button_cancel", run: "click" },
        { trigger: "body:not(:has(.modal)) .o_field_widget[name=consent_attribute_ids]" },
        noOverflow(),
        { trigger: ".o_form_view .nav-link:contains(Advanced)", run: "click" },
        { trigger: ".tab-pane [name=profile_url_template]" },
        noOverflow(),
    ],
});
